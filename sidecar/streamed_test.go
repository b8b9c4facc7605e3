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
			a.heard <- string(p[:n])
		}
		if err != nil {
			break
		}
	}
	for range a.ask {
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
	}
}

// TestBodiesAreStreamed has a client and an app talk by turns: each part of a body arrives before the next is sent.
func TestBodiesAreStreamed(t *testing.T) {
	for _, scheme := range []string{"http", "h2c"} {
		talk := turns{make(chan string), make(chan bool, 1)}
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
		go func() {
			defer parts.Close()
			for _, part := range []string{"one", "two", "three"} {
				_, _ = io.WriteString(parts, part)
				if got := <-talk.heard; got != part {
					t.Errorf("over %s the app got %q; want %q before more is sent", scheme, got, part)
				}
			}
		}()
		talk.ask <- true
		resp, err := plain(t, nil).Post(v.GuardURL(), "text/plain", body)
		v.must(err)
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
