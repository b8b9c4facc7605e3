package caddymodule

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// hearer is an app that notes what it is asked for, in headers and trailers. What has hasty in its path it answers at once.
type hearer struct {
	mu    sync.Mutex
	asked map[string]*http.Request // by method and path
}

func (h *hearer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "hasty") {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[r.Method+" "+r.URL.Path] = r
}

// heard returns the headers and trailers of what the app was asked for, and whether it was.
func (h *hearer) heard(what string) (header, trailer http.Header, was bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, was := h.asked[what]
	if !was {
		return nil, nil, false
	}
	return r.Header, r.Trailer, true
}

// unanswered is a site of which an error route asks the app: because a guard refuses, because it cannot tell what a request is for, because
// another app is away, and because the pages cannot be had.
const unanswered = `handle /refused/* {
		postern_auth
	}
	handle /matcher/* {
		postern_auth {
			public {
				expression ` + "`int({http.request.header.X-Count}) > 1`" + `
			}
		}
	}
	handle /away/* {
		postern_auth {
			optional
		}
		reverse_proxy AWAY
	}
	postern_pages /pages
	handle_errors {
		reverse_proxy APP
	}`

// unanswers prepares that site, of which the data is in use by another process, and returns the app.
func (w *world) unanswers() *hearer {
	w.settle()
	app := &hearer{asked: map[string]*http.Request{}}
	server := httptest.NewServer(app)
	w.Cleanup(server.Close)
	w.app = server.Listener.Addr().String()
	other := openHouse(w)
	w.Cleanup(other.close)
	return app
}

// raw sends a text, and returns the status of the answer, and what follows that until the connection ends if it is to.
func (w *world) raw(text string, ends bool) (status int, rest string) {
	w.Helper()
	conn, err := net.Dial("tcp", w.site)
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, text); err != nil {
		w.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || !ends {
		return resp.StatusCode, ""
	}
	all, _ := io.ReadAll(in) // which may be reset
	return resp.StatusCode, string(all)
}

// hidesNothing sends, to paths where an error route asks app, trailers that name somebody, bodies that go wrong before another request, and wishes
// for a tunnel.
func (w *world) hidesNothing(app *hearer, paths ...string) {
	w.Helper()
	for _, path := range paths {
		chunks := " HTTP/1.1\r\nHost: " + w.site + "\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n"
		w.raw("POST "+path+chunks+"0\r\nX-Sum: 1\r\nX-Postern-User-Id: evil\r\nRemote.User: evil\r\n\r\n", false)
		if _, trailers, asked := app.heard("POST " + path); !asked || trailers.Get("X-Sum") != "1" || len(trailers) != 1 {
			w.Errorf("%s: the app was asked: %t, with the trailers %v; want X-Sum alone", path, asked, trailers)
		}
		hidden := "GET /hidden HTTP/1.1\r\nHost: " + w.site + "\r\n\r\n"
		if _, rest := w.raw("POST "+path+"hasty"+chunks+"!\r\n"+hidden, true); rest != "" {
			w.Errorf("%s: what followed a broken body was answered: %q", path, rest)
		}
		status, _ := w.raw("CONNECT "+path+" HTTP/1.1\r\nHost: "+w.site+"\r\n\r\n", false)
		if _, _, asked := app.heard("CONNECT " + path); asked || status != http.StatusMethodNotAllowed {
			w.Errorf("%s: CONNECT = %d, and the app was asked: %t; want 405", path, status, asked)
		}
	}
}

// TestErrorRoutesGetWhatTheGuardMade sends such requests to a site whose error routes ask an app.
func TestErrorRoutesGetWhatTheGuardMade(t *testing.T) {
	w := newWorld(t)
	app := w.unanswers()
	w.load(w.config("", strings.Replace(unanswered, "AWAY", proctest.Free(t), 1)))
	w.hidesNothing(app, "/refused/", "/matcher/", "/away/", "/pages/")
}

// TestErrorRoutesOfCopies sends them where a directive before the guard hands on a copy of the request: error routes get Caddy's own.
func TestErrorRoutesOfCopies(t *testing.T) {
	asker := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(asker.Close)
	for name, before := range map[string]string{"tracing": "tracing", "forward_auth": "forward_auth " + asker.Listener.Addr().String() + " {\n\t\turi /\n\t}"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			app := w.unanswers()
			w.load(w.config("", before+"\n\t"+strings.Replace(unanswered, "AWAY", proctest.Free(t), 1)))
			w.hidesNothing(app, "/refused/", "/matcher/", "/away/", "/pages/")
		})
	}
}

// early is a site of which an error route asks the app for errors that come before its guard.
const early = `basic_auth /basic/* {
		bob $2a$04$yC3Q6ubd8dPfUWbUSVpHyuQKWvaHXcdkPDcSCMFiY1eNcJ1fDIyS.
	}
	GUARD
	reverse_proxy APP
	handle_errors {
		reverse_proxy APP
	}`

// TestErrorRoutesOfWhatMetNoGuard forges all that there is to forge in requests that fail before they meet a guard: for one because Caddy itself takes
// no method of more than 32 letters. The guard may be in a named route, which Caddy makes ready after error routes.
func TestErrorRoutesOfWhatMetNoGuard(t *testing.T) {
	for name, guard := range map[string]string{"a guard": "postern_auth", "in a handle": "handle {\n\t\tpostern_auth\n\t}", "in a named route": "invoke guard"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			app := w.unanswers()
			w.load(strings.Replace(w.config("servers {\n\t\texpected_underscore_headers X_Postern_User_Id\n\t}", strings.Replace(early, "GUARD", guard, 1)),
				"http://", "&(guard) {\n\tpostern_auth\n}\nhttp://", 1))
			w.hidesNothing(app, "/basic/")
			for _, what := range []string{strings.Repeat("M", 33) + " /long", "GET /basic/"} {
				w.raw(what+" HTTP/1.1\r\nHost: "+w.site+"\r\nX-Postern-Email: evil\r\nX_Postern_User_Id: evil\r\nRemote-User: evil\r\nX-Other: mine\r\n"+
					"Authorization: Bearer mine\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", false)
				header, _, asked := app.heard(what)
				if !asked || header.Get("X-Other") != "mine" || header.Get("Authorization") == "" || strings.Contains(fmt.Sprint(header), "evil") || header.Get("Upgrade") != "" {
					t.Errorf("%s: the app was asked: %t, with %v; want all but what was forged", what, asked, header)
				}
			}
		})
	}
}

// TestErrorRoutesOfSubroutes forges likewise where a subroute has error routes of its own, as only JSON can say.
func TestErrorRoutesOfSubroutes(t *testing.T) {
	for name, guard := range map[string]string{"a guard": "postern_auth", "in a handle": "handle {\n\t\tpostern_auth\n\t}"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			app := w.unanswers()
			w.loadJSON(w.inSubroute(w.config("", strings.Replace(early, "GUARD", guard, 1))))
			w.hidesNothing(app, "/basic/")
			w.raw("GET /basic/ HTTP/1.1\r\nHost: "+w.site+"\r\nX-Postern-Email: evil\r\nX-Other: mine\r\n\r\n", false)
			header, _, asked := app.heard("GET /basic/")
			if !asked || header.Get("X-Other") != "mine" || header.Get("X-Postern-Email") != "" {
				t.Errorf("the app was asked: %t, with %v; want all but what was forged", asked, header)
			}
		})
	}
}

// TestUnansweredInSubroute has a guard in a subroute whose own error routes answer no refusal, while those of the server do. Nobody gets on to what follows.
func TestUnansweredInSubroute(t *testing.T) {
	w := newWorld(t)
	app := w.unanswers()
	w.loadJSON(w.rearranged(w.config("", `postern_auth
	handle_errors 401 {
		respond "in the site's words"
	}`), func(server object) {
		notFound := object{"routes": []object{{"match": []object{{"expression": "{http.error.status_code} == 404"}}, "handle": []object{{"handler": "static_response", "body": "not found"}}}}}
		server["routes"] = []object{
			{"handle": []object{{"handler": "subroute", "routes": server["routes"], "errors": notFound}}},
			{"handle": []object{{"handler": "reverse_proxy", "upstreams": []object{{"dial": w.app}}}}},
		}
	}))
	if got := w.get("/secret", ""); got.body != "in the site's words" {
		t.Errorf("nobody gets %+v; want the refusal in the site's words", got)
	}
	if _, _, asked := app.heard("GET /secret"); asked {
		t.Error("the app was asked")
	}
}

// inSubroute returns the JSON of a Caddyfile, with all routes of its server in one subroute, and its error routes there too.
func (w *world) inSubroute(caddyfile string) []byte {
	w.Helper()
	return w.rearranged(caddyfile, func(server object) {
		server["routes"] = []object{{"handle": []object{{"handler": "subroute", "routes": server["routes"], "errors": server["errors"]}}}}
		delete(server, "errors")
	})
}

// object is one of JSON.
type object = map[string]any

// rearranged returns the JSON of a Caddyfile after a change of its server.
func (w *world) rearranged(caddyfile string, change func(server object)) []byte {
	w.Helper()
	var config object
	if err := json.Unmarshal(w.adapt(caddyfile), &config); err != nil {
		w.Fatal(err)
	}
	change(config["apps"].(object)["http"].(object)["servers"].(object)["srv0"].(object))
	text, err := json.Marshal(config)
	if err != nil {
		w.Fatal(err)
	}
	return text
}

// TestErrorRouteGivesNobodyAnothersCookie has an error route say of caching what it likes, where the guard has renewed a cookie.
func TestErrorRouteGivesNobodyAnothersCookie(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_auth
	error 404
	handle_errors {
		header Cache-Control "public, max-age=3600"
		header CDN-Cache-Control max-age=3600
		respond "gone" 404
	}`))
	var got answer
	w.eventually("a cookie is renewed", func() bool { // not before the guard has the news
		got = w.get("/", "", "Cookie", "__Host-postern="+p.tokens.Old)
		return got.header.Get("Set-Cookie") != ""
	})
	if got.body != "gone" || !strings.Contains(strings.Join(got.header["Cache-Control"], ", "), "private") || got.header.Get("CDN-Cache-Control") != "" {
		t.Errorf("a new cookie comes with %+v; want one that nobody else is given", got)
	}
}

// TestSecondGuardOnErrorRoute has a guard on an error route find who a request comes from that another guard has let in, or could not check, and has taken the credential from.
func TestSecondGuardOnErrorRoute(t *testing.T) {
	for _, kind := range []string{"", "optional"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			p := w.settle()
			other := openHouse(w)
			w.load(w.config("", `route {
		postern_auth
		error 404
	}
	handle_errors {
		postern_auth {
			`+kind+`
		}
		reverse_proxy APP
	}`))
			shown := map[string][2]string{"a token": {"Authorization", "Bearer " + p.tokens.Valid}, "a cookie": {"Cookie", "__Host-postern=" + p.tokens.Valid}}
			for name, header := range shown {
				if got := w.get("/", "", header[0], header[1]); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
					t.Errorf("%s while the data is in use = %+v; want 503 with Retry-After", name, got)
				}
			}
			other.close()
			for name, header := range shown {
				w.eventually(name+" is known to the app of the error route", func() bool {
					got := w.get("/", "", header[0], header[1])
					return got.status == http.StatusOK && got.seen(t).Get("X-Postern-Username") == "ann"
				})
			}
			if got := w.get("/", p.tokens.Revoked); (got.status == http.StatusOK) != (kind == "optional") || strings.Contains(got.body, "X-Postern") {
				t.Errorf("a revoked token = %+v", got)
			}
		})
	}
}

// TestTokenStaysRemoved on an error route whose guard looks for none, and to which whoever the former let in is nobody.
func TestTokenStaysRemoved(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		postern_auth
		error 404
	}
	handle_errors {
		postern_auth {
			from cookie
			optional
		}
		reverse_proxy APP {
			header_up X-Told "[{http.auth.user.username}]"
		}
	}`))
	if seen := w.get("/", p.tokens.Valid).seen(t); seen.Get("Authorization") != "" || seen.Get("X-Postern-Username") != "" || seen.Get("X-Told") != "[]" {
		t.Errorf("the App saw %v; want nobody, by a placeholder either, and no token", seen)
	}
}

// TestErrorRouteOfWhatWasAsked is about paths as they were asked for, though the guard stands where a part of them is removed.
func TestErrorRouteOfWhatWasAsked(t *testing.T) {
	w := newWorld(t)
	w.load(w.config("", `handle_path /api/* {
		postern_auth
	}
	handle_errors {
		@api path /api/*
		respond @api "{err.status_code} in the site's words"
	}`))
	if got := w.get("/api/users", ""); got.body != "401 in the site's words" {
		t.Errorf("/api/users = %+v; want the site's words", got)
	}
}

// TestNoTunnelByErrorRoutes has HTTP/2 carry a request in somebody's name after a CONNECT of which no matcher can say whether it is for it.
func TestNoTunnelByErrorRoutes(t *testing.T) {
	w := newWorld(t)
	app := w.unanswers()
	w.loadTLS(w.config("", strings.NewReplacer("/matcher/*", "", "AWAY", proctest.Free(t)).Replace(unanswered)))
	status := w.tunnel(http.Header{})
	if _, _, asked := app.heard("POST /hidden"); asked || status != http.StatusMethodNotAllowed {
		t.Errorf("%d, and the app was asked for what followed: %t; want 405", status, asked)
	}
}
