package sidecar

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/delivery"
)

// silence is a server that takes connections and never says a word.
type silence struct {
	*net.TCPAddr
	heard chan net.Conn
}

// newSilence returns one that ends with the test.
func newSilence(t *testing.T) *silence {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &silence{l.Addr().(*net.TCPAddr), make(chan net.Conn, 100)}
	go func() {
		defer close(s.heard)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.heard <- conn
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		for conn := range s.heard {
			_ = conn.Close()
		}
	})
	return s
}

// tell calls the API as a back end that waits ten seconds, and returns what is answered; other than 2xx is a failure.
func (v *served) tell(path, body string) string {
	v.Helper()
	key, err := os.ReadFile(filepath.Join(v.o.Data, "management.key"))
	v.must(err)
	req, err := http.NewRequestWithContext(v.Context(), "POST", v.APIURL()+path, strings.NewReader(fmt.Sprintf(`{"realm_id":%q%s}`, v.realm.ID, body)))
	v.must(err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	req.Header.Set("Content-Type", "application/json")
	back := plain(v.T, nil)
	back.Timeout = 10 * time.Second
	resp, err := back.Do(req)
	v.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	v.must(err)
	if resp.StatusCode/100 != 2 {
		v.Fatalf("POST %s = %d %s", path, resp.StatusCode, text)
	}
	return string(text)
}

// TestNothingIsSentInline makes what webhooks and e-mails tell of, while the one who is called and the mail server hang: neither keeps anybody
// waiting who calls the API, since both wait for longer than ten seconds.
func TestNothingIsSentInline(t *testing.T) {
	stores(t, func(t *testing.T, change func(*Options)) {
		app, mail := newSilence(t), newSilence(t)
		v := serve(t, http.NotFoundHandler(), func(o *Options) {
			o.APIListen, o.WebhookAllow = "127.0.0.1:0", []string{"127.0.0.1"}
			o.SMTP = delivery.SMTP{Host: "127.0.0.1", Port: mail.Port, TLS: delivery.TLSNone, From: "noreply@example.com"}
			change(o)
		})
		destination := fmt.Sprintf("http://%s/hook", app)
		_, _, err := v.parts.Core.AppHooks.Create(t.Context(), v.realm.ID, core.HookWebhook, core.AppHookChange{Destination: &destination}, core.Request{})
		v.must(err)
		for _, kind := range []string{"user.created", "user.password_token.created"} {
			_, _, err := v.parts.Core.AppHooks.Create(t.Context(), v.realm.ID, core.HookEmail, core.AppHookChange{EventTypes: &[]string{kind}}, core.Request{})
			v.must(err)
		}
		for i, name := range []string{"ann", "bob"} {
			v.tell("/users", fmt.Sprintf(`,"user":{"user_type":"human","username":%q,"email":"%s@example.com","password":%q}`, name, name, password))
			v.tell("/users/"+name+"/authenticate", fmt.Sprintf(`,"user":{"password":%q}`, password))
			v.tell("/users/"+name+"/generate_password_token", "")
			if i == 0 { // for bob they hang already
				for what, server := range map[string]*silence{"the webhook": app, "the mail server": mail} {
					select {
					case conn := <-server.heard:
						defer conn.Close()
					case <-time.After(20 * time.Second):
						t.Fatalf("nothing came to %s", what)
					}
				}
			}
		}
	})
}

// TestPreviewNamesTheSender holds that the preview of an e-mail says whom it will come from.
func TestPreviewNamesTheSender(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.APIListen = "127.0.0.1:0"
		o.SMTP = delivery.SMTP{Host: "127.0.0.1", Port: newSilence(t).Port, TLS: delivery.TLSNone, From: "noreply@example.com"}
	})
	for own, want := range map[string]string{"": "noreply@example.com", "shop@example.com": "shop@example.com"} {
		made := v.tell("/app_hooks", fmt.Sprintf(`,"app_hook":{"hook_type":"email","event_type":"user.created","email_from":%q}`, own))
		var hook, preview struct{ ID, From string }
		v.must(json.Unmarshal([]byte(made), &hook))
		v.must(json.Unmarshal([]byte(v.tell("/app_hooks/"+hook.ID+"/preview", "")), &preview))
		if preview.From != want {
			t.Errorf("the preview of a hook from %q is from %q; want %q", own, preview.From, want)
		}
	}
}
