package caddymodule

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/internal/proctest"
)

// withAdmin returns a configuration with an admin API at address in the place of none.
func withAdmin(config, address string) string {
	return strings.Replace(config, "admin off", "admin "+address, 1)
}

// admin asks the admin API at address.
func (w *world) admin(address, method, path, body string) answer {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Close = true
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// TestAdminStatus asks a running Caddy how it is, also while the store is away.
func TestAdminStatus(t *testing.T) {
	w := newWorld(t)
	server := w.useRedis()
	admin := proctest.Free(t)
	w.load(withAdmin(w.config(strings.Replace(overRedis, "postern {", "postern {\n\t\tmax_staleness 1s", 1), guarded), admin))
	token := w.signedIn()
	ask := func() (s status) {
		t.Helper()
		got := w.admin(admin, "GET", "/postern/status", "")
		if err := json.Unmarshal([]byte(got.body), &s); err != nil || got.status != http.StatusOK {
			t.Fatalf("status = %+v, %v", got, err)
		}
		return s
	}
	w.eventually("all is well", func() bool {
		w.get("/", token)
		s := ask()
		return s.Open && s.Store.Answers && s.News.Age >= 0 && s.News.Age < 5 && len(s.Failing) == 0 && len(s.Guards) == 1 && s.Guards[0].Fresh && s.Guards[0].Remembered == 1
	})
	s := ask()
	if s.Version == "" || s.Kind != "redis" || !strings.HasPrefix(s.Store.Server, "redis") || s.Guards[0].Realm != "default" || s.FirstKey != w.folder+"/management.key" {
		t.Errorf("status = %+v", s)
	}
	if len(s.Store.Findings) == 0 {
		t.Error("a Redis that keeps nothing on disk is not found unfit")
	}
	server.Stop(t)
	w.eventually("no news come in", func() bool { s := ask(); return s.News.Age > 1 && len(s.Failing) > 0 && !s.Guards[0].Fresh })
	server.Restart(t)
	if got := w.admin(admin, "POST", "/postern/status", ""); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET" {
		t.Errorf("POST = %+v; want 405", got)
	}
	w.load(withAdmin(strings.Replace(w.config("", "respond ok"), "postern", "unused", 1), admin))
	if got := w.admin(admin, "GET", "/postern/status", ""); got.status != http.StatusNotFound {
		t.Errorf("status where no site uses Postern = %+v; want 404", got)
	}
}

// TestAdminExplain asks what stands in the way of requests to a site with two guards, the API and pages.
func TestAdminExplain(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	admin := proctest.Free(t)
	config := withAdmin(w.config("", `postern_api /v1/*
	postern_pages
	handle_path /inner/* {
		postern_auth {
			public /open
		}
		respond inner
	}
	handle /named {
		invoke vip
	}
	redir /moved /page
	route /hinted {
		respond 103
		invoke vip
	}
	handle /cookies {
		postern_auth {
			from cookie
		}
	}
	handle /either {
		basic_auth {
			bob $2a$04$yC3Q6ubd8dPfUWbUSVpHyuQKWvaHXcdkPDcSCMFiY1eNcJ1fDIyS.
		}
	}
	postern_auth {
		public /healthz
		public {
			method GET
			path /probe
		}
		public {
			path /assets/* /admin
		}
	}
	postern_auth /admin/* {
		require app:admin
	}
	reverse_proxy APP`), admin)
	w.loadJSON(bytes.Replace(w.adapt(config+"&(vip) {\n\tpostern_auth {\n\t\trequire app:vip\n\t}\n}\n"), []byte(`"providers":{`), []byte(`"providers":{"postern":{},`), 1))
	for _, test := range []struct {
		method, path, credential string
		want                     []string
	}{
		{"GET", "/page", "", []string{"GET /page: deny, 401"}},
		{"GET", "/page", p.tokens.Valid, []string{"GET /page: allow", "ann"}},
		{"GET", "/admin/x", p.tokens.Valid, []string{"GET /admin/x: deny, 403", "GET /admin/x: allow"}},
		{"POST", "/v1/users", "", []string{"postern_api answers"}},
		{"GET", "/auth/sign-in", "", []string{"postern_pages answer"}},
		{"GET", "/healthz", "", []string{"GET /healthz: allow", "Anybody may pass"}},
		{"GET", "/named", p.tokens.Valid, []string{"GET /named: deny, 403"}},
		{"GET", "/either", p.tokens.Valid, []string{"one of the providers", "GET /either: allow"}},
		{"GET", "/cookies", p.tokens.Valid, []string{"shown as cookie", "shown as bearer", "as bearer and as cookie. A request has to show it"}},
		{"GET", "", p.tokens.Valid, []string{"GET /: allow"}},
		{"GET", "/assets/%2e%2e/admin", "", []string{"deny, 400 ambiguous_path"}},
		{"GET", "/assets/a%2db", "", []string{"deny, 400 ambiguous_path"}},
		{"CONNECT", "/assets/x", "", []string{"deny, 405 no_proxy"}},
		{"TRACE", "/assets/x", "", []string{"deny, 405 trace"}},
		{"GET", "/moved", p.tokens.Valid, []string{"GET http://" + w.site + "/moved: no guard stands in the way of respond or redir, which answers."}},
		{"GET", "/hinted", p.tokens.Valid, []string{"GET /hinted: deny, 403"}},
		{"GET", "/inner/open", "", []string{"GET /open: allow", "Anybody may pass"}},
	} {
		body, _ := json.Marshal(map[string]string{"method": test.method, "url": "http://" + w.site + test.path, "credential": test.credential})
		var got answer
		w.eventually("the store is open", func() bool {
			got = w.admin(admin, "POST", "/postern/explain", string(body))
			return !strings.Contains(got.body, "cannot know")
		})
		for _, want := range test.want {
			if got.status != http.StatusOK || !strings.Contains(got.body, want) {
				t.Errorf("explain %s %s = %+v; want %q", test.method, test.path, got, want)
			}
		}
	}
	for body, want := range map[string]string{
		`{"url":"/page"}`:                           "the url must look like",
		`{"url":"http://127.0.0.1:1/"}`:             "no site listens",
		`{"method":"G T","url":"http://a.example"}`: "invalid method",
		`{"url":"http://` + w.site + `/","who":1}`:  "the body must be",
	} {
		if got := w.admin(admin, "POST", "/postern/explain", body); got.status < 400 || !strings.Contains(got.body, want) {
			t.Errorf("explain %s = %+v; want %q", body, got, want)
		}
	}
	body, _ := json.Marshal(map[string]string{"url": "http://" + w.site + "/admin/x", "credential": p.tokens.Valid})
	if got := w.admin(admin, "POST", "/postern/explain", string(body)); strings.Contains(got.body, "has to show it") {
		t.Errorf("explain of guards that look in one place = %+v; want nothing about places", got)
	}
	if lines := w.logged(p.tokens.Valid); len(lines) > 0 {
		t.Errorf("the log shows the token: %s", lines)
	}
}

// FuzzExplain asks about any request: it is refused, or no guard is met where there is none, and the credential is shown to nobody.
func FuzzExplain(f *testing.F) {
	f.Add("GET", "https://app.example.com/page", "hunter2")
	f.Add("", "http://app.example.com:80/a%2fb?c=d", "")
	f.Add("P T", "http://[::1]:443", "hunter2")
	f.Add("GET", "//app", "hunter2")
	sites := &caddyhttp.App{Servers: map[string]*caddyhttp.Server{"srv0": {Listen: []string{":80", ":443", "unix//run/caddy.sock"}}}}
	f.Fuzz(func(t *testing.T, method, address, credential string) {
		text, err := explain(t.Context(), sites, method, address, credential)
		if (err == nil) != strings.Contains(text, "no guard stands in the way") {
			t.Errorf("explain(%q, %q) = %q, %v", method, address, text, err)
		}
		if err != nil && len(credential) > 6 && !strings.Contains(method+" "+address, credential) && strings.Contains(err.Error(), credential) {
			t.Errorf("explain(%q, %q) shows the credential: %v", method, address, err)
		}
	})
}
