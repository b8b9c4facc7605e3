package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/hosttest"
)

// turns is an app that tells each part of a body as it comes, and then answers with a part whenever it is asked to.
type turns struct {
	heard chan string
	ask   chan bool
}

func (a turns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for p := make([]byte, 16); ; {
		n, err := r.Body.Read(p)
		if n > 0 {
			select {
			case a.heard <- string(p[:n]):
			case <-r.Context().Done():
				return
			}
		}
		if err != nil {
			break
		}
	}
	for {
		select {
		case _, more := <-a.ask:
			if !more {
				return
			}
		case <-r.Context().Done():
			return
		}
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
	}
}

// TestBodiesAreStreamed has a client and an app talk by turns: each part of a body arrives before the next is sent.
func TestBodiesAreStreamed(t *testing.T) {
	for _, scheme := range []string{"http", "h2c"} {
		talk := turns{make(chan string), make(chan bool, 4)}
		app := httptest.NewUnstartedServer(talk)
		app.Config.Protocols = new(http.Protocols)
		app.Config.Protocols.SetHTTP1(true)
		app.Config.Protocols.SetUnencryptedHTTP2(true)
		app.Start()
		t.Cleanup(app.Close)
		v := serve(t, http.NotFoundHandler(), func(o *Options) {
			o.Upstream, o.Guard.Public = strings.Replace(app.URL, "http", scheme, 1), []string{"/*"}
		})
		body, parts := io.Pipe()
		client, failed, answered := plain(t, nil), error(nil), make(chan *http.Response, 1)
		go func() {
			var resp *http.Response
			resp, failed = client.Post(v.GuardURL(), "text/plain", body)
			answered <- resp
		}()
		for _, part := range []string{"one", "two", "three"} {
			_, err := io.WriteString(parts, part)
			v.must(err)
			if got := hosttest.Within(t, "the app gets "+part, talk.heard); got != part {
				t.Errorf("over %s the app got %q; want %q before more is sent", scheme, got, part)
			}
		}
		v.must(parts.Close())
		talk.ask <- true
		resp := hosttest.Within(t, "the app answers", answered)
		v.must(failed)
		for range 3 {
			p := make([]byte, 4)
			if _, err := io.ReadFull(resp.Body, p); err != nil || string(p) != "part" {
				t.Errorf("over %s the client got %q, %v; want a part before the next is asked for", scheme, p, err)
			}
			talk.ask <- true
		}
		close(talk.ask)
		_ = resp.Body.Close()
	}
}

// TestBodyIsAskedFor has a client wait until somebody wants its body: the app may, or may refuse it unseen.
func TestBodyIsAskedFor(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		text, _ := io.ReadAll(r.Body)
		_, _ = w.Write(text)
	})
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	for path, want := range map[string][]int{"/": {100, 200}, "/refused": {413}} {
		conn, err := net.Dial("tcp", v.app.Addr().String())
		v.must(err)
		v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", path)
		v.must(err)
		from := bufio.NewReader(conn)
		for _, status := range want {
			resp, err := http.ReadResponse(from, nil)
			for err == nil && status == http.StatusOK && resp.StatusCode == http.StatusContinue { // which net/http says too, where it is quick
				resp, err = http.ReadResponse(from, nil)
			}
			v.must(err)
			if resp.StatusCode != status {
				t.Fatalf("%s = %d; want %d of %v", path, resp.StatusCode, status, want)
			}
			if status == http.StatusContinue {
				_, err = io.WriteString(conn, "body")
				v.must(err)
				continue
			}
			if text, err := io.ReadAll(resp.Body); err != nil || status == http.StatusOK && string(text) != "body" {
				t.Errorf("%s = %q, %v; want the body back", path, text, err)
			}
		}
		_ = conn.Close()
	}
}

// connect opens a connection to the guarded address, and returns what asks for a path on it with a token.
func (v *served) connect(token string) (ask func(path string) *http.Response) {
	v.Helper()
	conn, err := net.Dial("tcp", v.app.Addr().String())
	v.must(err)
	v.Cleanup(func() { _ = conn.Close() })
	v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	from := bufio.NewReader(conn)
	return func(path string) *http.Response {
		v.Helper()
		_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
		v.must(err)
		resp, err := http.ReadResponse(from, nil)
		v.must(err)
		return resp
	}
}

// TestReloadDropsNoConnection goes on with another app while one connection waits for its next request, and an answer of the app before is open on
// another. That answer goes on, still watched over.
func TestReloadDropsNoConnection(t *testing.T) {
	talk := turns{make(chan string), make(chan bool, 4)}
	former := http.NewServeMux()
	former.Handle("/stream", talk)
	former.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "former") })
	v := serve(t, former, func(*Options) {})
	next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "next") }))
	t.Cleanup(next.Close)
	ann := v.signIn(v.parts.Core, v.realm.ID, "ann")
	waits := v.connect(ann.Token)
	says := func(want string) {
		if text, err := io.ReadAll(waits("/").Body); err != nil || string(text) != want {
			t.Errorf("the app = %q, %v; want %s", text, err, want)
		}
	}
	goesOn := func(body io.Reader) {
		if _, err := io.ReadFull(body, make([]byte, len("part"))); err != nil {
			t.Errorf("the open answer = %v; want a part", err)
		}
	}
	says("former")
	talk.ask <- true
	stream := v.connect(ann.Token)("/stream").Body
	goesOn(stream)
	o := v.o
	o.Upstream = next.URL
	v.must(v.Reload(t.Context(), o))
	says("next")
	talk.ask <- true
	goesOn(stream)
	v.must(v.parts.Core.Sessions.Delete(t.Context(), v.realm.ID, ann.Session.ID, core.Request{}))
	ended := time.Now()
	if more, err := io.ReadAll(stream); len(more) > 0 || err == nil || time.Since(ended) > 3*time.Second { // who is not watched over is looked at every 5 s
		t.Errorf("after the end of the session, the open answer = %q, %v after %v; want it cut at once", more, err, time.Since(ended))
	}
	close(talk.ask)
}
