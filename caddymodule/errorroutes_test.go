package caddymodule

import (
	"bufio"
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

// hearer is an app that notes what it is asked for, and the trailers that come with that. What has hasty in its path it answers at once.
type hearer struct {
	mu    sync.Mutex
	asked map[string]http.Header // by method and path
}

func (h *hearer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "hasty") {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[r.Method+" "+r.URL.Path] = r.Trailer
}

// heard returns the trailers of what the app was asked for, and whether it was.
func (h *hearer) heard(what string) (http.Header, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	trailers, was := h.asked[what]
	return trailers, was
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
	app := &hearer{asked: map[string]http.Header{}}
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

// TestErrorRoutesGetWhatTheGuardMade sends trailers that name somebody, bodies that go wrong before another request, and wishes for a tunnel to sites
// whose error routes ask an app.
func TestErrorRoutesGetWhatTheGuardMade(t *testing.T) {
	w := newWorld(t)
	app := w.unanswers()
	w.load(w.config("", strings.Replace(unanswered, "AWAY", proctest.Free(t), 1)))
	for _, path := range []string{"/refused/", "/matcher/", "/away/", "/pages/"} {
		chunks := " HTTP/1.1\r\nHost: " + w.site + "\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n"
		w.raw("POST "+path+chunks+"0\r\nX-Sum: 1\r\nX-Postern-User-Id: evil\r\nRemote.User: evil\r\n\r\n", false)
		if trailers, asked := app.heard("POST " + path); !asked || trailers.Get("X-Sum") != "1" || len(trailers) != 1 {
			t.Errorf("%s: the app was asked: %t, with the trailers %v; want X-Sum alone", path, asked, trailers)
		}
		hidden := "GET /hidden HTTP/1.1\r\nHost: " + w.site + "\r\n\r\n"
		if _, rest := w.raw("POST "+path+"hasty"+chunks+"!\r\n"+hidden, true); rest != "" {
			t.Errorf("%s: what followed a broken body was answered: %q", path, rest)
		}
		status, _ := w.raw("CONNECT "+path+" HTTP/1.1\r\nHost: "+w.site+"\r\n\r\n", false)
		if _, asked := app.heard("CONNECT " + path); asked || status != http.StatusMethodNotAllowed {
			t.Errorf("%s: CONNECT = %d, and the app was asked: %t; want 405", path, status, asked)
		}
	}
}

// TestErrorRoutesOfCopies sends such trailers and bodies where a directive before the guard hands on a copy of the request: Caddy's own, which error routes
// get, still has them.
func TestErrorRoutesOfCopies(t *testing.T) {
	asker := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(asker.Close)
	for name, before := range map[string]string{"tracing": "tracing", "forward_auth": "forward_auth " + asker.Listener.Addr().String() + " {\n\t\turi /\n\t}"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			app := w.unanswers()
			w.load(w.config("", before+"\n\t"+strings.Replace(unanswered, "AWAY", proctest.Free(t), 1)))
			for path, want := range map[string]int{"/refused/": 401, "/matcher/": 500, "/away/": 502, "/pages/": 503} {
				chunks := " HTTP/1.1\r\nHost: " + w.site + "\r\nTransfer-Encoding: chunked\r\n"
				status, _ := w.raw("POST "+path+chunks+"Trailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-Postern-User-Id: evil\r\n\r\n", false)
				if trailers, asked := app.heard("POST " + path); asked || status != want {
					t.Errorf("%s: %d, and the app was asked: %t, with the trailers %v; want %d", path, status, asked, trailers, want)
				}
				w.raw("POST "+path+chunks+"\r\n1\r\na\r\n0\r\n\r\n", false)
				if _, asked := app.heard("POST " + path); !asked {
					t.Errorf("%s: the app was not asked where there are no trailers", path)
				}
				hidden := "GET /hidden HTTP/1.1\r\nHost: " + w.site + "\r\n\r\n"
				if _, rest := w.raw("POST "+path+"hasty"+chunks+"\r\n1\r\na\r\n!\r\n"+hidden, true); rest != "" {
					t.Errorf("%s: what followed a broken body was answered: %q", path, rest)
				}
			}
		})
	}
}

// TestNoTunnelByErrorRoutes has HTTP/2 carry a request in somebody's name after a CONNECT of which no matcher can say whether it is for it.
func TestNoTunnelByErrorRoutes(t *testing.T) {
	w := newWorld(t)
	app := w.unanswers()
	w.loadTLS(w.config("", strings.NewReplacer("/matcher/*", "", "AWAY", proctest.Free(t)).Replace(unanswered)))
	status := w.tunnel(http.Header{})
	if _, asked := app.heard("POST /hidden"); asked || status != http.StatusMethodNotAllowed {
		t.Errorf("%d, and the app was asked for what followed: %t; want 405", status, asked)
	}
}
