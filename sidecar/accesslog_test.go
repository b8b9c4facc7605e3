package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestAccessLog holds that a line says who and what, and no secret.
func TestAccessLog(t *testing.T) {
	v := serve(t, hosttest.App(), func(o *Options) { o.AccessLog = true })
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	v.ask(plain(t, nil), "GET", v.GuardURL()+"/a%20b?token=hush", in.Token, nil)
	v.ask(plain(t, nil), "GET", v.GuardURL()+"/", "", nil)
	for _, secret := range []string{in.Token, strings.ReplaceAll(in.Token, ".", "%2e"), "ak_hush", "utk_hush", "a;token=" + in.Token, "Bearer%20" + in.Token, "x,ak_hush", "%2Fko_hush%22"} { // as the API has them in paths, where it is mounted
		v.ask(plain(t, nil), "GET", v.GuardURL()+"/v1/sessions/"+secret+"/x", "", nil)
	}
	lines := v.logged.FilterMessage("request").All()
	if len(lines) != 10 {
		t.Fatalf("%d lines; want 10", len(lines))
	}
	got := lines[0].ContextMap()
	if got["user_id"] != string(in.User.ID) || got["path"] != "/a%20b" || got["status"] != int64(200) || got["remote_ip"] != "127.0.0.1" {
		t.Errorf("line = %v", got)
	}
	if _, there := got["reason"]; there {
		t.Errorf("line of who was let in = %v; want no reason", got)
	}
	if _, there := lines[1].ContextMap()["user_id"]; there || lines[1].ContextMap()["status"] != int64(401) || lines[1].ContextMap()["reason"] != "no_credential" {
		t.Errorf("line of a refusal = %v", lines[1].ContextMap())
	}
	for _, line := range lines {
		if text := fmt.Sprint(line.ContextMap()); strings.Contains(text, "hush") || strings.Contains(text, strings.Split(in.Token, ".")[2]) {
			t.Errorf("a line holds a secret: %s", text)
		}
	}
	if path := lines[5].ContextMap()["path"]; path != "/v1/sessions/.../x" {
		t.Errorf("a path with a token is shown as %s", path)
	}
}

// TestShownPath tells e-mail addresses in paths from what merely has an @.
func TestShownPath(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/users/ann@example.com":                     "/v1/users/...",
		"/v1/users/ann%40example.com/permissions":       "/v1/users/.../permissions",
		"/v1/users/ann%2Bnews%40xn--bcher-kva.xn--p1ai": "/v1/users/...",
		"/v1/users/%C3%A4nn@b%C3%BCcher.%D1%80%D1%84":   "/v1/users/...",
		"/unsubscribe;ann@mail.example.com":             "/...",
		"/@ann/posts":                                   "/@ann/posts",
		"/npm/@scope/react@19.2.0/index.js":             "/npm/@scope/react@19.2.0/index.js",
		"/files/ann@host":                               "/files/ann@host",
		"/img/logo@2x.png":                              "/img/logo@2x.png",
		"/img/ann@example.com@2x.png":                   "/img/...",
		"/users/ann@2x.com":                             "/users/...",
	} {
		if got := shownPath(path); got != want {
			t.Errorf("%s is shown as %s, want %s", path, got, want)
		}
	}
}

// TestAccessLogSaysWhy has the code of what is answered by the guard or the proxy, and of what the app answers none.
func TestAccessLogSaysWhy(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.AccessLog, o.Guard.Public, o.Guard.Require = true, []string{"/open"}, []string{"app:read"}
	})
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	for i, tt := range []struct {
		line, header string
		want         any
	}{
		{"GET /", "", "no_credential"},
		{"GET /", "Authorization: Bearer nobodys\r\n", "invalid_token"},
		{"GET /", "Authorization: Bearer " + in.Token + "\r\n", "missing_permission"},
		{"GET /a//b", "", "ambiguous_path"},
		{"CONNECT app:80", "", "no_proxy"},
		{"GET /open", "", nil},
	} {
		conn := v.dial()
		_, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: app\r\n%sConnection: close\r\n\r\n", tt.line, tt.header)
		v.must(err)
		_, err = io.Copy(io.Discard, conn)
		v.must(err)
		var lines *observer.ObservedLogs
		redistest.Eventually(t, "the line is there", func() bool { lines = v.logged.FilterMessage("request"); return lines.Len() > i })
		if got := lines.All()[i].ContextMap()["reason"]; got != tt.want {
			t.Errorf("%s: the log has the reason %v; want %v", tt.line, got, tt.want)
		}
	}
}

// TestAccessLogOfAWebSocket tells that the protocol was switched, once the WebSocket has ended.
func TestAccessLogOfAWebSocket(t *testing.T) {
	v := serve(t, hosttest.App(), func(o *Options) { o.AccessLog, o.Guard.Public = true, []string{"/*"} })
	conn := v.dial()
	_, err := io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	v.must(err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	v.must(err)
	v.must(conn.Close())
	var lines []observer.LoggedEntry
	redistest.Eventually(t, "the end is logged", func() bool { lines = v.logged.FilterMessage("request").All(); return len(lines) == 1 })
	if got := lines[0].ContextMap()["status"]; resp.StatusCode != http.StatusSwitchingProtocols || got != int64(http.StatusSwitchingProtocols) {
		t.Errorf("a WebSocket was answered %d, and is logged as %v; want 101", resp.StatusCode, got)
	}
}
