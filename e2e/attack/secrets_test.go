package attack

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// secrets are all that came up while the hosts were attacked: each must be in no log, metric or store.
var secrets = secretSet{all: map[string]string{password: "a password"}}

type secretSet struct {
	mu  sync.Mutex
	all map[string]string // what each is
}

// named are members of answers that hold secrets.
var named = []string{"token", "password_reset_token", "secret", "signing_secret", "api_key", "key", "otp_secret", "recovery_codes", "private_key", "jwt_key", "jwt_secret", "device", "provisioning_uri"}

// hear notes the secrets of an answer.
func (s *secretSet) hear(text []byte) {
	var answer map[string]any
	if json.Unmarshal(text, &answer) != nil {
		return
	}
	for _, name := range named {
		list, is := answer[name].([]any)
		if !is {
			list = []any{answer[name]}
		}
		for _, one := range list {
			if text, is := one.(string); is && len(text) >= 8 && !strings.Contains(text, "PUBLIC KEY") {
				s.add(name, text)
			}
		}
	}
	if id, _ := answer["id"].(string); strings.HasPrefix(id, "utk_") {
		s.add("a signup token", id)
	}
}

func (s *secretSet) add(what, text string) {
	if strings.Contains(text, "\n") { // a key in PEM: any of its lines
		text = strings.Split(text, "\n")[1]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[text] = what
}

// tellTales looks for every secret in what the hosts wrote, and returns 1 where it finds one.
func tellTales() (failed int) {
	for _, h := range hosts.all {
		places := map[string][]byte{}
		places["log"], _ = os.ReadFile(h.log)
		for _, path := range []string{"/metrics", "/readyz", "/healthz", "/config/", "/postern/"} {
			if resp, err := http.Get("http://" + h.admin + path); err == nil {
				places[path], _ = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
		}
		stored := 0
		_ = filepath.WalkDir(h.store, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && !strings.HasSuffix(path, ".key") { // keys that are there to be read by their owner
				places[path], _ = os.ReadFile(path)
				stored += len(places[path])
			}
			return nil
		})
		if len(places["log"]) == 0 || len(places["/metrics"]) == 0 || stored < 10_000 {
			fmt.Printf("%s: there are %d bytes of log, %d of metrics and %d stored, too few to look for secrets in\n", h.name, len(places["log"]), len(places["/metrics"]), stored)
			failed = 1
		}
		for place, content := range places {
			for text, at := range secrets.in(content) {
				fmt.Printf("%s: %s, %.12q..., stands in %s: %.100q\n", h.name, secrets.all[text], text, place, content[max(0, at-60):])
				failed = 1
			}
		}
	}
	return failed
}

// in returns where secrets stand in a text. It looks once at each byte, however many secrets there are.
func (s *secretSet) in(content []byte) map[string]int {
	found := map[string]int{}
	begins := map[[8]byte][]string{}
	var first [1 << 16]bool
	for text := range s.all {
		begins[[8]byte([]byte(text))] = append(begins[[8]byte([]byte(text))], text)
		first[binary.LittleEndian.Uint16([]byte(text))] = true
	}
	for at := range max(0, len(content)-7) {
		if !first[binary.LittleEndian.Uint16(content[at:])] {
			continue
		}
		for _, text := range begins[[8]byte(content[at:])] {
			if bytes.HasPrefix(content[at:], []byte(text)) {
				found[text] = at
			}
		}
	}
	return found
}

// TestSecretsInUse uses everything that makes or takes a secret. What came of it is looked at when all is over.
func TestSecretsInUse(t *testing.T) {
	each(t, func(h *host) {
		x := h.newTenant()
		name := "secret" + stamp()
		id := h.newUser(name, map[string]any{"custom": map[string]any{"plan": "gold"}}).id
		for _, hook := range []string{"user.password_token.created", "user.email_verification.requested", "user.created", "user.login.succeeded"} {
			h.call("POST", "/v1/app_hooks", map[string]any{"app_hook": map[string]any{"hook_type": "webhook", "event_type": hook, "destination": "https://hook-user:hook-password@hook.invalid/x"}})
			h.call("POST", "/v1/app_hooks", map[string]any{"app_hook": map[string]any{"hook_type": "email", "event_type": hook, "email_subject": "s", "email_template": "t {{token}}", "email_from": "a@example.com", "email_to": "user"}})
		}
		secrets.add("the password of a webhook", "hook-password")
		h.call("POST", "/v1/users/"+id+"/generate_password_token", nil)
		h.call("POST", "/v1/users/"+id+"/request_email_verification", nil)
		api := h.create(h.realm, "/v1/users", "user", map[string]any{"user_type": "api", "name": "robot"})
		status, body := h.call("POST", "/v1/credentials", map[string]any{"credential": map[string]any{"user_id": api, "credential_type": "api_key", "name": "k"}}, "Idempotency-Key", stamp())
		key, _ := body["api_key"].(string)
		if key == "" {
			key, _ = body["key"].(string)
		}
		if status != 201 || key == "" {
			h.Fatalf("an API key = %d %v", status, body)
		}
		for _, line := range []string{"X-Api-Key: " + key, "Authorization: ApiKey " + key, "Authorization: Bearer " + key} {
			h.get("/page", line)
		}
		h.call("POST", "/v1/users/authenticate_key", map[string]any{"api_key": key})
		h.call("POST", "/v1/users/authenticate_key", map[string]any{"api_key": key + "x"})
		for _, wrong := range []string{"not the password of anybody", password + "!"} {
			secrets.add("a wrong password", wrong)
			h.call("POST", "/v1/users/"+id+"/authenticate", map[string]any{"password": wrong})
			h.form("/auth/sign-in", map[string][]string{"username": {name}, "password": {wrong}}, "Sec-Fetch-Site: same-origin")
		}
		h.call("POST", "/v1/users/"+id+"/authenticate", map[string]any{"password": password, "request": map[string]any{"device": "", "ip": "192.0.2.7", "client": "x"}})
		h.call("POST", "/v1/users/"+id+"/authenticate", `{"password":"`+password+`","password":1`)
		h.call("GET", "/v1/sessions/"+h.signIn(id), nil)
		h.call("GET", "/v1/user_tokens/"+x.ids["token"]+"?realm_id="+x.realm, nil)
		h.call("POST", "/v1/realms/"+x.realm+"/rotate_keys", nil)
		h.call("GET", "/v1/realms/"+x.realm, nil)
		h.call("GET", "/v1/jwt_keys?realm_id="+x.realm, nil)
		c := h.newCareful()
		h.call("POST", "/v1/users/"+c.id+"/authenticate_code", map[string]any{"user": map[string]any{"token": h.login(c), "code": c.recovery[0]}})
		_, _, events := h.send("GET", "http://"+h.api+"/v1/events?max_results=1000", nil, http.Header{"X-Authrocket-Api-Key": {h.key}, "X-Authrocket-Realm": {"default"}})
		_, _, users := h.send("GET", "http://"+h.api+"/v1/bulk/users", nil, http.Header{"X-Authrocket-Api-Key": {h.key}, "X-Authrocket-Realm": {"default"}})
		secrets.mu.Lock()
		defer secrets.mu.Unlock()
		for place, text := range map[string][]byte{"events": events, "users": users} {
			for secret := range secrets.in(text) {
				h.Errorf("%s tell %s, %.12q...", place, secrets.all[secret], secret)
			}
		}
	})
}
