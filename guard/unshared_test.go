package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/guard"
)

// TestNewCookieIsForOneAlone has apps say all sorts of things of caching, beside a cookie that is renewed.
func TestNewCookieIsForOneAlone(t *testing.T) {
	public := func(w http.ResponseWriter) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("CDN-Cache-Control", "max-age=600")
		w.Header().Set("Surrogate-Control", "max-age=600")
	}
	for name, app := range map[string]http.HandlerFunc{
		"nothing is written": func(w http.ResponseWriter, _ *http.Request) { public(w) },
		"a body": func(w http.ResponseWriter, _ *http.Request) {
			public(w)
			_, _ = io.WriteString(w, "page")
		},
		"a status": func(w http.ResponseWriter, _ *http.Request) {
			public(w)
			w.WriteHeader(http.StatusNotFound)
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			public(w)
			w.(http.Flusher).Flush()
		},
		"flushed by a controller": func(w http.ResponseWriter, _ *http.Request) {
			public(w)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		},
		"a panic, for which somebody else answers": func(w http.ResponseWriter, _ *http.Request) {
			public(w)
			panic("app")
		},
		"some fields are private": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", `private="X-Other", max-age=60`)
		},
		"no-store": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "no-store") },
	} {
		w := newWorld()
		who := ann
		who.RenewAt, who.ExpiresAt = w.now.Add(-time.Minute), w.now.Add(time.Hour)
		w.knows("good", who)
		g := w.guard(t, guard.Options{Renewer: &renewer{}})
		ask := func() *http.Response {
			rec := httptest.NewRecorder()
			func() {
				defer func() { _ = recover() }()
				g.Handler(app).ServeHTTP(rec, request("GET", "/", "Cookie", "__Host-postern=good"))
			}()
			return rec.Result()
		}
		rec := ask()
		said := strings.Join(rec.Header["Cache-Control"], ", ")
		if len(rec.Cookies()) != 1 || !strings.HasSuffix(said, "private") && said != "no-store" || rec.Header.Get("CDN-Cache-Control") != "" || rec.Header.Get("Surrogate-Control") != "" {
			t.Errorf("%s: an answer with the cookies %v has %v, want one that nobody else is given", name, rec.Cookies(), rec.Header)
		}
		again := ask()
		if name == "a body" && (len(again.Cookies()) != 0 || again.Header.Get("Cache-Control") != "public, max-age=3600" || again.Header.Get("CDN-Cache-Control") == "") {
			t.Errorf("%s: an answer without a new cookie has %v, want what the app says", name, again.Header)
		}
	}
}

// TestNewCookieAfterEarlyHints has an app behind the proxy of the standard library inform before it answers, after which that proxy clears all headers.
func TestNewCookieAfterEarlyHints(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "page")
	}))
	defer app.Close()
	to, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	who := ann
	who.RenewAt, who.ExpiresAt = w.now.Add(-time.Minute), w.now.Add(time.Hour)
	w.knows("good", who)
	site := httptest.NewServer(w.guard(t, guard.Options{Renewer: &renewer{}}).ProxyHandler(httputil.NewSingleHostReverseProxy(to)))
	defer site.Close()
	for i, want := range []int{1, 0} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", site.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", "__Host-postern=good")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if cookies := resp.Cookies(); len(cookies) != want || want == 1 && resp.Header.Get("Cache-Control") != "private" {
			t.Errorf("request %d: an answer after early hints has the cookies %v and Cache-Control %q; want %d", i, cookies, resp.Header.Get("Cache-Control"), want)
		}
	}
}
