// Package hosttest holds every host to the same behaviour: one table of guarded requests, sent over a real connection
// through the bare middleware, the sidecar and the Caddy module alike. A host puts its guard, with the default
// headers and without the token passed on, in front of App, and calls Run.
package hosttest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/guard"
)

// Host is a guarded App, and what a test needs to be let in, or not.
type Host struct {
	URL    string // where the guarded App is: "http://127.0.0.1:8080"
	Tokens Tokens

	// Transport speaks HTTP/2 or HTTP/3, which have no Connection header, and so no Upgrade. nil = HTTP/1.1
	Transport http.RoundTripper

	// Revoke ends the session of a token.
	Revoke func(t *testing.T, token string)

	// Identity are the headers that tell the App who Tokens.Valid is, all of the default set that have a value.
	Identity map[string]string
}

// Tokens are session tokens of the realm that the host guards, unless they say otherwise.
type Tokens struct {
	Valid      string // of an active user
	Short      string // of another, whose session Run ends over HTTP/1.1
	Old        string // of another, past half of its life
	Expired    string
	Revoked    string // its session was ended
	Inactive   string // its user was deactivated, which ends all sessions
	OtherRealm string // good in another realm
}

// Settings are what the guard of every host is made with.
var Settings = guard.Settings{
	Public: []string{"/open/*"},
	Rules:  []guard.Rule{{Paths: []string{"/admin/*"}, Policy: guard.Policy{Require: []string{"fly"}}}},
}

// Caddyfile is the same as Settings, as a block of postern_auth.
const Caddyfile = `postern_auth {
		public /open/*
		rule /admin/* {
			require fly
		}
	}`

// sawHeader is where App says to OPTIONS what it saw, too.
const sawHeader = "X-App-Saw"

// App is the application behind the guard. It answers with the headers that it saw, {"headers":{"Name":["value"]}}, whatever the method. Where
// the protocol is to become "websocket" it sends back every byte instead.
func App() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			echo(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("CDN-Cache-Control", "max-age=60")
		text, err := json.Marshal(reply{r.Header})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if r.Method == http.MethodOptions {
			w.Header().Set(sawHeader, string(text))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text) // to a client that may have left
	})
}

// reply is what App answers.
type reply struct {
	Headers http.Header `json:"headers"`
}

// echo takes the connection over and sends back what comes in, until the request's context ends: who takes a connection over
// must look after it.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	defer context.AfterFunc(r.Context(), func() { _ = conn.Close() })()
	_, _ = fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_, _ = io.Copy(conn, stream)
}

// Run sends every request of the table to h.
func Run(t *testing.T, h Host) {
	client := &http.Client{
		Transport:     cmp.Or(h.Transport, http.RoundTripper(&http.Transport{})),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	for _, e := range exchanges {
		if h.Transport == nil || e.header["Connection"] == nil {
			t.Run(e.name, func(t *testing.T) { e.run(t, client, h) })
		}
	}
	if h.Transport == nil {
		t.Run("an upgraded connection carries both ways", func(t *testing.T) { upgrade(t, client, h) })
		t.Run("an upgraded connection ends with its session", func(t *testing.T) { revoked(t, client, h) })
	}
	t.Run("a cookie past half of its life is renewed once", func(t *testing.T) { renewed(t, client, h) })
}

// run sends one request and compares what came of it.
func (e exchange) run(t *testing.T, client *http.Client, h Host) {
	resp, err := client.Do(e.request(t, h))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != e.status {
		t.Fatalf("status = %d, want %d; body %q", resp.StatusCode, e.status, body)
	}
	for name, want := range e.reply {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("reply header %s = %q, want %q", name, got, want)
		}
	}
	if e.preflight {
		if len(body) > 0 {
			t.Errorf("the reply to a preflight has a body: %q", body)
		}
		body = []byte(resp.Header.Get(sawHeader))
	}
	if id := resp.Header.Get("X-Request-Id"); (id != "") != (e.refused || e.status >= 300) || id == "of-the-client" {
		t.Errorf("the reply has the X-Request-Id %q; want one of the host's own where it refuses", id)
	}
	for name, value := range e.header {
		if token, ok := strings.CutPrefix(h.fill(value[0]), "Bearer "); ok && len(token) > 8 && bytes.Contains(body, []byte(token)) {
			t.Errorf("the reply repeats the token of %s", name)
		}
	}
	if e.status == http.StatusOK && e.method != http.MethodHead && !e.refused {
		e.compare(t, h, body)
	}
}

// request returns the request to send. Names go out as they are spelled.
func (e exchange) request(t *testing.T, h Host) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), e.method, h.URL+cmp.Or(e.path, "/some/path?q=1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range e.header {
		for _, v := range values {
			r.Header[name] = append(r.Header[name], h.fill(v))
		}
	}
	return r
}

// fill puts the host's tokens in the places of their names.
func (h Host) fill(text string) string {
	return strings.NewReplacer("{valid}", h.Tokens.Valid, "{expired}", h.Tokens.Expired, "{revoked}", h.Tokens.Revoked,
		"{inactive}", h.Tokens.Inactive, "{other realm}", h.Tokens.OtherRealm).Replace(text)
}

// compare holds what the App saw to what it should have seen: of identity headers, exactly those of the user.
func (e exchange) compare(t *testing.T, h Host, body []byte) {
	var seen reply
	if err := json.Unmarshal(body, &seen); err != nil {
		t.Fatalf("the reply is not the App's: %v; %q", err, body)
	}
	got, want := map[string]string{}, map[string]string{}
	for name, values := range seen.Headers {
		folded := fold(name)
		switch {
		case strings.HasPrefix(folded, "x-postern-"):
			got[name] = strings.Join(values, "|")
		case folded == "authorization":
			t.Errorf("the App saw %s", name)
		}
	}
	if e.identified {
		want = h.Identity
	}
	if !maps.Equal(got, want) {
		t.Errorf("identity headers that the App saw: %v, want %v", got, want)
	}
	for name, want := range e.seen {
		if got := seen.Headers.Get(name); got != want {
			t.Errorf("the App saw %s = %q, want %q", name, got, want)
		}
	}
}

// fold is how the most careless application compares names of headers.
func fold(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name))
}

// upgrade speaks through a connection whose protocol was switched, and is refused one without a token.
func upgrade(t *testing.T, client *http.Client, h Host) {
	stream := h.websocket(t, client, h.Tokens.Valid)
	defer stream.Close()
	speak(t, stream)

	e := exchange{method: http.MethodGet, header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}}
	refused, err := client.Do(e.request(t, h))
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Body.Close()
	if refused.StatusCode != http.StatusUnauthorized {
		t.Errorf("without token: status = %d, want 401", refused.StatusCode)
	}
}

// revoked ends the session of a connection under way, which must end with it.
func revoked(t *testing.T, client *http.Client, h Host) {
	stream := h.websocket(t, client, h.Tokens.Short)
	defer stream.Close()
	speak(t, stream)
	h.Revoke(t, h.Tokens.Short)
	MustEnd(t, stream)
}

// MustEnd holds that a stream ends, as its session has.
func MustEnd(t *testing.T, stream io.Reader) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stream)
		close(ended)
	}()
	Within(t, "the stream ends with its session", ended)
}

// Within returns what comes over a channel, or the zero value where it is closed, and fails the test unless that is within a minute, on however busy a machine.
func Within[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(time.Minute):
		t.Fatalf("waited a minute in vain until %s", what)
	}
	return v
}

// websocket opens a connection whose protocol is switched, for a minute at most.
func (h Host) websocket(t *testing.T, client *http.Client, token string) io.ReadWriteCloser {
	t.Helper()
	e := exchange{method: http.MethodGet, header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Authorization": {"Bearer " + token},
	}}
	resp, err := client.Do(e.request(t, h))
	if err != nil {
		t.Fatal(err)
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("status = %d, want 101", resp.StatusCode)
	}
	late := time.AfterFunc(time.Minute, func() { _ = stream.Close() })
	t.Cleanup(func() { late.Stop() })
	return stream
}

// speak holds that what is said is heard again.
func speak(t *testing.T, stream io.ReadWriter) {
	t.Helper()
	said, heard := []byte("hello"), make([]byte, 5)
	if _, err := stream.Write(said); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stream, heard); err != nil || !bytes.Equal(heard, said) {
		t.Fatalf("heard %q, %v; want %q", heard, err, said)
	}
}
