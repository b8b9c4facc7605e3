package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// delivery returns what core would give a courier for a destination.
func delivery(destination string) *core.Delivery {
	return &core.Delivery{
		Notification: &core.Notification{ID: "ent_1"}, At: time.Unix(1700000000, 0), Secrets: [][]byte{[]byte("new"), []byte("old")},
		Event: &core.Event{ID: "ev_1", Realm: "rl_1", Type: "user.created", User: "usr_1", Sealed: "sealed", Secret: "kpw_secret", At: core.Instant{Time: time.Unix(1699999999, 0)}},
		Hook:  &core.AppHook{ID: "hk_1", Type: core.HookWebhook, Destination: destination},
	}
}

// loopback allows what the tests listen on.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// try delivers once.
func try(t *testing.T, o Options, destination string) core.Attempted {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return c.Deliver(ctx, delivery(destination))
}

// TestRefuses holds which destinations are refused before anything is called, and how.
func TestRefuses(t *testing.T) {
	const (
		inside  = " is not a public address. Who runs Postern can let it in with webhook_allow"
		spelled = "must name its host so that all read the same: addresses are written as 192.0.2.1 or [2001:db8::1]"
	)
	for destination, want := range map[string][2]string{ // to the Internet alone, and with loopback allowed
		"https://example.com/hook":            {},
		"https://ann:secret@1.1.1.1:8443/a":   {},
		"http://127.0.0.1:8080/":              {"must not lead inside: 127.0.0.1" + inside, ""},
		"http://app.localhost/":               {"must not lead inside: app.localhost" + inside, ""},
		"http://a:b@[::ffff:169.254.169.254]": {"must not lead inside: ::ffff:169.254.169.254" + inside, "must not lead inside: ::ffff:169.254.169.254" + inside},
		"http://2130706433/":                  {spelled, spelled},
		"http://[":                            {"must be a URL", "must be a URL"},
	} {
		for i, allow := range [][]netip.Prefix{nil, loopback} {
			c, err := New(Options{Allow: allow})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Refuses(destination); got != want[i] {
				t.Errorf("Refuses(%s), where %v is allowed, = %q; want %q", destination, allow, got, want[i])
			}
			c.Close()
		}
	}
}

// TestWebhook holds what a receiver is sent.
func TestWebhook(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	done := try(t, Options{Allow: loopback}, strings.Replace(server.URL, "http://", "http://ann:secret@", 1)+"/services/T0/SECRET?a=b")
	if want := (core.Attempted{Result: core.Delivered, Destination: server.URL, Line: "202 Accepted"}); done != want {
		t.Errorf("Deliver = %+v; want %+v", done, want)
	}
	if user, password, _ := got.BasicAuth(); user != "ann" || password != "secret" || got.Method != "POST" || got.URL.String() != "/services/T0/SECRET?a=b" {
		t.Errorf("received %s %s by %s:%s", got.Method, got.URL, user, password)
	}
	if want := `{"id":"ev_1","realm_id":"rl_1","event_type":"user.created","event_at":1699999999,"user_id":"usr_1","request":null,"ip":null,"object":"event"}`; string(body) != want {
		t.Errorf("received %s; want %s", body, want)
	}
	var signatures []string
	for _, secret := range []string{"new", "old"} {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(append([]byte("ent_1.1700000000."), body...))
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if got.Header.Get("webhook-id") != "ent_1" || got.Header.Get("webhook-timestamp") != "1700000000" || got.Header.Get("webhook-signature") != strings.Join(signatures, " ") {
		t.Errorf("received headers %v; want the signatures %v", got.Header, signatures)
	}
}

// TestWebhookFails holds that what does not answer with 2xx has not heard, and what is said of it.
func TestWebhookFails(t *testing.T) {
	reached := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer inside.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/endless":
			w.WriteHeader(http.StatusInternalServerError)
			for {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		default:
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		o           Options
		destination string
		want        string
	}{
		{Options{Allow: loopback}, server.URL + "/redirect", "307 Temporary Redirect"},
		{Options{Allow: loopback}, server.URL + "/endless", "500 Internal Server Error"},
		{Options{Allow: loopback}, server.URL + "/", "410 Gone"},
		{Options{Allow: loopback}, "http://127.0.0.1:1/", "it could not be reached"},
		{Options{Allow: loopback}, server.URL + "/reset", "it hung up, or its answer was none in HTTP"},
		{Options{Allow: loopback}, untrusted.URL, "its certificate is not one to trust"},
		{Options{Allow: loopback}, "http://nothing.invalid/", "it could not be reached"},
		{Options{}, inside.URL, strings.TrimPrefix(inside.URL, "http://") + " is not a public address"},
		{Options{}, strings.Replace(inside.URL, "127.0.0.1", "localhost", 1), " is not a public address"},
		{Options{}, "http://169.254.169.254/latest/meta-data", "169.254.169.254:80 is not a public address"},
		{Options{}, "http://[::ffff:127.0.0.1]:1/", "127.0.0.1:1 is not a public address"},
	} {
		if done := try(t, c.o, c.destination); done.Result != core.NotDelivered || !strings.Contains(done.Line, c.want) {
			t.Errorf("Deliver to %s = %+v; want it not delivered: %q", c.destination, done, c.want)
		}
	}
	if reached {
		t.Error("an address inside was reached")
	}
}

// TestSMTPSettings tries settings that make no sense.
func TestSMTPSettings(t *testing.T) {
	for _, c := range []struct {
		smtp SMTP
		want string
	}{
		{SMTP{Host: "mail.example.com"}, "sender"},
		{SMTP{From: "a@example.com"}, "host"},
		{SMTP{Host: "h", From: "Ann <a@example.com>"}, "sender"},
		{SMTP{Host: "h", From: "a@example.com", TLS: "maybe"}, "starttls, implicit or none"},
		{SMTP{Host: "h", From: "a@example.com", User: "u"}, "go together"},
		{SMTP{Host: "h", From: "a@example.com", Password: "p"}, "go together"},
		{SMTP{Host: "h", From: "a@example.com", User: "u", Password: "p", PasswordFile: "p"}, "given twice"},
		{SMTP{Host: "h", From: "a@example.com", User: "u", Password: "p", TLS: TLSNone}, "without TLS"},
		{SMTP{Host: "h", From: "a@example.com", User: "u", PasswordFile: "p", TLS: TLSNone}, "without TLS"},
		{SMTP{Host: "h", From: "a@example.com", User: "u", PasswordFile: "/nowhere"}, "cannot read"},
		{SMTP{Host: "h", From: "a@example.com", CAFile: "/nowhere"}, "cannot read"},
	} {
		if _, err := New(Options{SMTP: c.smtp}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v) = %v; want a complaint about %q", c.smtp, err, c.want)
		}
	}
}
