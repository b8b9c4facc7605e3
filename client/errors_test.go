package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/postern-auth/postern/client"
)

// TestErrors keeps kind, code, status, fields, request id and when to come back, in each form that an API or a proxy may answer in.
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		status  int
		headers string // name: value, a line each
		body    string
		is      error
		want    client.Error
	}{
		{404, "X-Request-Id: r1", `{"title":"Not Found","status":404,"detail":"User not found","code":"user_not_found"}`, client.ErrNotFound,
			client.Error{Code: "user_not_found", Detail: "User not found", RequestID: "r1"}},
		{422, "", `{"title":"x","status":422,"detail":"Not valid","code":"validation","errors":[{"attribute":"username","detail":"Username can't be blank"}]}`, client.ErrInvalid,
			client.Error{Code: "validation", Detail: "Not valid", Fields: []client.FieldError{{"username", "Username can't be blank"}}}},
		{422, "", `{"errors":{"username":["Username can't be blank"]}}`, client.ErrInvalid,
			client.Error{Fields: []client.FieldError{{"username", "Username can't be blank"}}}},
		{400, "", `{"detail":"d","code":"bad_request"}`, client.ErrMalformed, client.Error{Code: "bad_request", Detail: "d"}},
		{401, "", `{"detail":"d","code":"authentication_failed"}`, client.ErrUnauthenticated, client.Error{Code: "authentication_failed", Detail: "d"}},
		{403, "", `{"detail":"d","code":"permission"}`, client.ErrForbidden, client.Error{Code: "permission", Detail: "d"}},
		{409, "", `{"detail":"d","code":"user_already_exists"}`, client.ErrConflict, client.Error{Code: "user_already_exists", Detail: "d"}},
		{412, "", `{"detail":"d","code":"c"}`, client.ErrPrecondition, client.Error{Code: "c", Detail: "d"}},
		{413, "", `{"detail":"d","code":"content_too_large"}`, client.ErrMalformed, client.Error{Code: "content_too_large", Detail: "d"}},
		{429, "Retry-After: 90", `{"detail":"d","code":"too_many_attempts"}`, client.ErrThrottled,
			client.Error{Code: "too_many_attempts", Detail: "d", RetryAfter: 90 * time.Second}},
		{500, "", `{"detail":"d","code":"internal"}`, client.ErrInternal, client.Error{Code: "internal", Detail: "d"}},
		{503, "Retry-After: 7", `{"detail":"d","code":"unavailable"}`, client.ErrUnavailable, client.Error{Code: "unavailable", Detail: "d", RetryAfter: 7 * time.Second}},

		{502, "Content-Type: text/html; charset=utf-8", "<html>ko_secret</html>", client.ErrUnavailable,
			client.Error{Code: client.CodeNotPostern, Detail: "answered 502 with text/html, which is not an answer of Postern"}},
		{401, "Content-Type: text/html", "<html>", client.ErrInternal, // of a proxy or an app, who know no users
			client.Error{Code: client.CodeNotPostern, Detail: "answered 401 with text/html, which is not an answer of Postern"}},
		{403, "Content-Type: text/html", "<html>", client.ErrInternal,
			client.Error{Code: client.CodeNotPostern, Detail: "answered 403 with text/html, which is not an answer of Postern"}},
		{404, "Content-Type: text/html", "<html>", client.ErrInternal,
			client.Error{Code: client.CodeNotPostern, Detail: "answered 404 with text/html, which is not an answer of Postern"}},
		{413, "Content-Type: text/html", "<html>", client.ErrMalformed,
			client.Error{Code: client.CodeNotPostern, Detail: "answered 413 with text/html, which is not an answer of Postern"}},
		{429, "Retry-After: 9", "", client.ErrThrottled,
			client.Error{Code: client.CodeNotPostern, Detail: "answered 429 with no media type, which is not an answer of Postern", RetryAfter: 9 * time.Second}},
		{500, "Content-Type: text/plain", "", client.ErrInternal,
			client.Error{Code: client.CodeNotPostern, Detail: "answered 500 with text/plain, which is not an answer of Postern"}},
		{302, "Location: https://elsewhere.example.com/", "", client.ErrInternal,
			client.Error{Code: client.CodeNotPostern, Detail: "answered with a redirect, which is not followed: is this the URL of a Postern?"}},
		{404, "X-Request-Id: a\u0085b", `{"detail":"line\nanother","code":"c"}`, client.ErrNotFound, client.Error{Code: "c", Detail: "line another", RequestID: "a b"}},
	} {
		c, _ := faulty(t, client.Options{Tries: 1, Key: "ko_secret"}, func(w http.ResponseWriter, _ *http.Request) {
			for line := range strings.Lines(test.headers) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				w.Header()[name] = []string{value}
			}
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		_, err := c.Users.Get(t.Context(), "ann")
		e, ok := errors.AsType[*client.Error](err)
		if !ok || !errors.Is(err, test.is) {
			t.Errorf("%d %s = %v; want %v", test.status, test.body, err, test.is)
			continue
		}
		if e.Code != test.want.Code || e.Detail != test.want.Detail || e.RequestID != test.want.RequestID || e.RetryAfter != test.want.RetryAfter ||
			e.Status != test.status || e.Route != "GET /v1/users/{user}" || len(e.Fields) != len(test.want.Fields) || len(e.Fields) > 0 && e.Fields[0] != test.want.Fields[0] {
			t.Errorf("%d %s = %#v; want %#v", test.status, test.body, e, test.want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v tells what it should not", err)
		}
	}
}

// TestUnreadableAnswers says of a 200 that nobody can read that it is none of Postern's.
func TestUnreadableAnswers(t *testing.T) {
	for body, want := range map[string]string{
		"<html>sign in to the network</html>": "text/html",
		`{"id":1}`:                            "application/json",
		``:                                    "text/html",
	} {
		c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", want)
			_, _ = io.WriteString(w, body)
		})
		_, err := c.Users.Get(t.Context(), "ann")
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.CodeNotPostern || !strings.Contains(e.Detail, want) {
			t.Errorf("an answer of %q = %v; want %s that cannot be read", body, err, want)
		}
	}
}

// TestErrorsHideAddresses makes calls whose addresses hold secrets fail in each way.
func TestErrorsHideAddresses(t *testing.T) {
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1", Key: "ko_secret"})
	if err != nil {
		t.Fatal(err)
	}
	hangs, _ := faulty(t, client.Options{Tries: 1, Timeout: time.Millisecond}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	cut, _ := faulty(t, client.Options{Tries: 1}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	client.SetPause(c, func(context.Context, time.Duration) error { return nil })
	for _, c := range []*client.Client{c, hangs, cut} {
		_, err := c.Users.Get(t.Context(), "secret.of.somebody")
		if !errors.Is(err, client.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Get = %v; want ErrUnavailable, and no address", err)
		}
	}
	_, err = hangs.Users.Get(t.Context(), "ann")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get of a server that hangs = %v; want DeadlineExceeded", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = hangs.Users.Get(ctx, "ann"); !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("Get after its context was cancelled = %v; want Canceled", err)
	}
}

// TestRedirectsAreNotFollowed keeps the key where it was sent.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	c, _ := faulty(t, client.Options{Key: "ko_key"}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	if _, err := c.Users.Get(t.Context(), "ann"); !errors.Is(err, client.ErrInternal) {
		t.Errorf("Get that is redirected = %v; want ErrInternal", err)
	}
}

// FuzzReadError holds that whatever is answered makes an Error that fits a line of a log, and says at least what its status does.
func FuzzReadError(f *testing.F) {
	f.Add(404, "application/json", "r1", "3", `{"detail":"User not found","code":"user_not_found"}`)
	f.Add(422, "application/json", "r1", "", `{"errors":{"base":["A","B"]}}`)
	f.Add(422, "application/problem+json", "r1", "", `{"code":"validation","errors":[{"attribute":"a","detail":"b"}]}`)
	f.Add(422, "", "", "", `{"errors":[{"status":"422","code":"validation_error","detail":"Some"}]}`)
	f.Add(502, "text/html", "\x1b[2J", "Wed, 21 Oct 2099 07:28:00 GMT", "<html>")
	f.Add(503, "text/html", "", "99999999999999999999", "{}")
	f.Fuzz(func(t *testing.T, status int, media, id, after, body string) {
		h := http.Header{"Content-Type": {media}, "X-Request-Id": {id}, "Retry-After": {after}}
		e := client.ReadError(status, h, []byte(body), time.Unix(1e9, 0))
		text := e.Error()
		if strings.ContainsFunc(text, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) || len(text) > 16<<10 {
			t.Errorf("ReadError(%d, %q) = %q", status, body, text)
		}
		if e.Status != status || e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour || e.Code == "" && len(e.Fields) == 0 && e.Detail == "" && !strings.Contains(body, "errors") {
			t.Errorf("ReadError(%d, %q, %q) = %#v", status, after, body, e)
		}
		if status == 404 && !errors.Is(e, client.ErrNotFound) {
			t.Errorf("ReadError(404, %q) = %v; want ErrNotFound", body, e)
		}
	})
}

// TestLongAnswers reads no more of an answer than is bearable.
func TestLongAnswers(t *testing.T) {
	c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"`+strings.Repeat("x", 1000)+`"}`)
	})
	if _, err := c.Users.Get(t.Context(), "ann"); err != nil {
		t.Errorf("Get of 1 kB = %v", err)
	}
	client.SetLongest(c, 1000)
	if _, err := c.Users.Get(t.Context(), "ann"); !errors.Is(err, client.ErrInternal) || !strings.Contains(err.Error(), "longer than 1000 bytes") {
		t.Errorf("Get of more than may be = %v; want ErrInternal", err)
	}
}

// TestTLS speaks HTTPS with whom it trusts, and sends nothing to anybody else.
func TestTLS(t *testing.T) {
	var log requests
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.note(r)
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	for _, h := range []*http.Client{server.Client(), nil} {
		c, err := client.New(client.Options{URL: server.URL, Key: "ko_key", HTTPClient: h, Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Users.Get(t.Context(), "ann")
		e, _ := errors.AsType[*client.Error](err)
		if h != nil && err != nil || h == nil && (e == nil || e.Code != client.CodeUnreachable) {
			t.Errorf("Get with trust = %v: %v", h != nil, err)
		}
	}
	if tries, _ := log.seen(); tries != 1 {
		t.Errorf("%d calls came; want one", tries)
	}
}

// TestUnsendable refuses what cannot stand in a header, without a call: it is no sign that the server is down.
func TestUnsendable(t *testing.T) {
	c, _ := faulty(t, client.Options{}, func(http.ResponseWriter, *http.Request) { t.Error("somebody was called") })
	if _, err := c.Users.Me(t.Context(), "secret\n"); !errors.Is(err, client.ErrUnauthenticated) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Me of a token with a line break = %v; want ErrUnauthenticated", err)
	}
	for _, option := range []client.CallOption{client.IfMatch("a\r\nb"), client.IdempotencyKey("ü")} {
		if _, err := c.Orgs.Create(t.Context(), client.OrgCreate{}, option); !errors.Is(err, client.ErrMalformed) {
			t.Errorf("Create with a header that cannot be sent = %v; want ErrMalformed", err)
		}
	}
}
