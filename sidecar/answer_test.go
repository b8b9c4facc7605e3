package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestInformationalAnswers has an app inform before it answers. What the answer has that is not the app's stays: that a connection ends on
// which a request may have been hidden from a proxy in front, and here, in the place of a renewed cookie, what was set beforehand.
func TestInformationalAnswers(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 2 {
			w.Header().Set("Link", "</style.css>")
			w.Header().Set("Set-Cookie", "early=1")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Link")
		w.Header().Set("Set-Cookie", "app=1")
		fmt.Fprint(w, r.URL.Path)
	})
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	conn, err := net.Dial("tcp", v.app.Addr().String())
	v.must(err)
	defer conn.Close()
	v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	const hidden = "GET /hidden HTTP/1.1\r\nHost: app\r\n\r\n"
	_, err = fmt.Fprintf(conn, "POST /shown HTTP/1.1\r\nHost: app\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s", 5+len(hidden), hidden)
	v.must(err)
	text, err := io.ReadAll(conn)
	if got := string(text); err != nil || strings.Count(got, " 103 ") != 2 || strings.Count(got, " 200 ") != 1 || strings.Contains(got, "/hidden") {
		t.Errorf("answered %q, %v; want two that inform, and one answer after which the connection ends", got, err)
	}
}

// TestAnswerKeepsWhatWasSet holds that the headers that were set before the app was asked are in its last answer, once, and in none that informs.
func TestAnswerKeepsWhatWasSet(t *testing.T) {
	for _, informs := range []int{0, 1, 3} {
		app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range informs { // as httputil.ReverseProxy passes them on
				w.Header().Add("Set-Cookie", "early=1")
				w.WriteHeader(http.StatusEarlyHints)
				clear(w.Header())
			}
			w.Header().Add("Set-Cookie", "app=1")
			w.WriteHeader(http.StatusOK)
			fmt.Fprint(w, "<html>")
		})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "renewed=1")
			answered(app, time.Minute).ServeHTTP(w, r)
		}))
		defer server.Close()
		client, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_ = client.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n") // or reading fails
		r := bufio.NewReader(client)
		for i := range informs + 1 {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := "early=1"
			if i == informs {
				want = "renewed=1, app=1"
			}
			if got := strings.Join(resp.Header["Set-Cookie"], ", "); got != want {
				t.Errorf("answer %d of %d: Set-Cookie %q; want %q", i+1, informs+1, got, want)
			}
			if got := resp.Header["Content-Type"]; got != nil {
				t.Errorf("answer %d of %d: Content-Type %q; want what the app said, nothing", i+1, informs+1, got)
			}
		}
	}
}

// TestWhoIsInformed has an app inform before and after it asks for the body. In HTTP/1.0 nobody is informed; and who waits to be asked learns that
// first, since net/http may be asking at the time.
func TestWhoIsInformed(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProcessing)
		if r.Header.Get("Expect") != "" {
			w.WriteHeader(http.StatusContinue)
		}
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.Copy(w, r.Body)
	})
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	for _, tt := range []struct {
		request string
		want    []string
	}{
		{"GET / HTTP/1.0\r\n\r\n", []string{"200"}},
		{"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n", []string{"102", "103", "200"}},
		{"POST / HTTP/1.1\r\nHost: app\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody", []string{"102", "103", "200"}},
		{"POST / HTTP/1.1\r\nHost: app\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody", []string{"100", "103", "200"}},
	} {
		conn := v.dial()
		_, err := io.WriteString(conn, tt.request)
		v.must(err)
		text, err := io.ReadAll(conn)
		v.must(err)
		var got []string
		for _, line := range strings.Split(string(text), "\r\n") {
			if status, is := strings.CutPrefix(line, "HTTP/1."); is {
				got = append(got, strings.Fields(status)[1])
			}
		}
		if got = slices.Compact(got); !slices.Equal(got, tt.want) { // net/http may have asked too
			t.Errorf("%.40q is answered %v; want %v", tt.request, got, tt.want)
		}
		v.must(conn.Close())
	}
}
