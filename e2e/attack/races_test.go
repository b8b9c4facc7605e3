package attack

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// racers is how many try the same at once.
const racers = 50

// race makes a call many times at once, and returns how often each status came, and the bodies of those that went well.
func (h *host) race(method, path string, body func(i int) any, headers ...string) (statuses map[int]int, won []map[string]any) {
	h.Helper()
	statuses = map[int]int{}
	var mu sync.Mutex
	var work sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		work.Go(func() {
			<-start
			status, answer := h.call(method, path, body(i), headers...)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			if status < 300 {
				won = append(won, answer)
			}
		})
	}
	close(start)
	work.Wait()
	for status := range statuses {
		if status >= 500 && status != http.StatusServiceUnavailable || status == 0 {
			h.Errorf("%s %s at once: %v; want no failure of ours", method, path, statuses)
		}
	}
	return statuses, won
}

// always returns the same body.
func always(body any) func(int) any { return func(int) any { return body } }

// once checks that of a race exactly one won.
func (h *host) once(what, method, path string, body func(i int) any) []map[string]any {
	h.Helper()
	statuses, won := h.race(method, path, body)
	if len(won) != 1 {
		h.Errorf("%s: %v; want exactly one to succeed", what, statuses)
	}
	return won
}

// TestOneTimeTokens spends each kind of token many times at once.
func TestOneTimeTokens(t *testing.T) {
	each(t, func(h *host) {
		name := "once" + stamp()
		id := h.newUser(name, nil).id
		token := func(call string) string {
			status, body := h.call("POST", "/v1/users/"+id+"/"+call, nil)
			text, _ := body["token"].(string)
			if status != 200 || text == "" {
				h.Fatalf("%s = %d %v", call, status, body)
			}
			return text
		}
		inside := func(fields map[string]any) any { return map[string]any{"user": fields} }
		h.once("an e-mail token", "POST", "/v1/users/"+id+"/verify_email", always(inside(map[string]any{"token": token("request_email_verification")})))
		next := password + " and more"
		h.once("a password token", "POST", "/v1/users/"+id+"/reset_password_with_token", always(inside(map[string]any{"token": token("generate_password_token"), "password": next, "password_confirmation": next})))
		h.once("a current password", "PUT", "/v1/users/"+id+"/update_password", func(i int) any {
			fresh := fmt.Sprintf("%s %d", password, i)
			return inside(map[string]any{"current_password": next, "password": fresh, "password_confirmation": fresh})
		})
		status, parked := h.call("POST", "/v1/user_tokens", map[string]any{"user_token": map[string]any{"username": "parked" + stamp(), "email": stamp() + "@example.com", "password": password}})
		if status != 201 {
			h.Fatalf("park = %d %v", status, parked)
		}
		h.once("a parked signup", "POST", "/v1/users", always(inside(map[string]any{"token": parked["id"]})))
		username, email := "taken"+stamp(), stamp()+"@example.com"
		h.once("a username", "POST", "/v1/users", func(i int) any {
			spelled := []string{username, " " + username, "TAKEN" + username[5:], "ｔ" + username[1:]}[i%4]
			return inside(map[string]any{"user_type": "human", "username": spelled, "email": stamp() + "@example.com", "password": password})
		})
		h.once("an e-mail address", "POST", "/v1/users", func(i int) any {
			return inside(map[string]any{"user_type": "human", "username": "e" + stamp(), "email": email, "password": password})
		})
	})
}

// careful is somebody with a second factor.
type careful struct {
	id, secret string
	shown      string // the code that the authenticator was verified with
	recovery   []any
}

// newCareful makes somebody with a second factor.
func (h *host) newCareful() careful {
	h.Helper()
	c := careful{id: h.newUser("factor"+stamp(), nil).id}
	credential := func(fields map[string]any) map[string]any {
		fields["user_id"] = c.id
		status, body := h.call("POST", "/v1/credentials", map[string]any{"credential": fields})
		if status != 201 {
			h.Fatalf("%v = %d %v", fields, status, body)
		}
		return body
	}
	phone := credential(map[string]any{"credential_type": "totp", "name": "phone"})
	c.secret, _ = phone["otp_secret"].(string)
	c.shown = code(h, c.secret, 0)
	if status, body := h.call("POST", "/v1/credentials/"+phone["id"].(string)+"/verify", map[string]any{"credential": map[string]any{"code": c.shown}}); status != 200 {
		h.Fatalf("verify = %d %v", status, body)
	}
	c.recovery = credential(map[string]any{"credential_type": "recovery_codes"})["recovery_codes"].([]any)
	return c
}

// login shows the password, and returns the login token.
func (h *host) login(c careful) string {
	h.Helper()
	status, body := h.call("POST", "/v1/users/"+c.id+"/authenticate", map[string]any{"password": password})
	token, _ := body["token"].(string)
	if status != 200 || token[:4] != "kli_" {
		h.Fatalf("authenticate = %d %v", status, body)
	}
	return token
}

// TestSecondFactorOnce spends a code, a recovery code and a login token many times at once. Ten tries shut an account, so each race has its own.
func TestSecondFactorOnce(t *testing.T) {
	each(t, func(h *host) {
		complete := func(token string, code any) any {
			return map[string]any{"user": map[string]any{"token": token, "code": code}}
		}
		c := h.newCareful()
		token := h.login(c)
		h.once("a login token", "POST", "/v1/users/"+c.id+"/authenticate_code", func(i int) any { return complete(token, c.recovery[i%len(c.recovery)]) })
		c = h.newCareful()
		tokens := []string{h.login(c), h.login(c), h.login(c)}
		h.once("a recovery code, by several login tokens", "POST", "/v1/users/--/authenticate_code", func(i int) any { return complete(tokens[i%3], c.recovery[0]) })
		c = h.newCareful()
		if status, body := h.call("POST", "/v1/users/"+c.id+"/authenticate_code", complete(h.login(c), c.shown)); status < 400 {
			h.Errorf("the code that was verified with signs in, too: %d %v", status, body)
		}
		tokens = []string{h.login(c), h.login(c)}
		next := code(h, c.secret, 1) // one for all: time goes on while they race
		h.once("a code, by several login tokens", "POST", "/v1/users/--/authenticate_code", func(i int) any { return complete(tokens[i%2], next) })
	})
}

// code returns the code that an authenticator shows, steps of thirty seconds from now (RFC 6238).
func code(h *host, secret string, steps int64) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	h.must(err)
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, uint64(time.Now().Unix()/30+steps))
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// TestRefreshRacesRevocation refreshes a session while it is ended. Whatever the order, no token may be left that is good.
func TestRefreshRacesRevocation(t *testing.T) {
	each(t, func(h *host) {
		id := h.newUser("fresh"+stamp(), nil).id
		for round := range 4 {
			token := h.signIn(id)
			sid, _ := h.takeApart(token).claims["sid"].(string)
			var mu sync.Mutex
			tokens := []string{token}
			var work sync.WaitGroup
			for range 20 {
				work.Go(func() {
					for range 3 {
						status, body := h.me(token)
						if fresh, ok := body["token"].(string); ok && status == 200 {
							mu.Lock()
							tokens = append(tokens, fresh)
							mu.Unlock()
						}
					}
				})
			}
			work.Go(func() {
				switch round {
				case 0:
					h.call("DELETE", "/v1/sessions/"+sid, nil)
				case 1:
					h.call("DELETE", "/v1/sessions?user_id="+id, nil)
				case 2:
					h.call("PUT", "/v1/users/"+id, map[string]any{"user": map[string]any{"state": "inactive"}})
				default:
					h.call("PUT", "/v1/users/"+id, map[string]any{"user": map[string]any{"password": password, "password_confirmation": password}})
				}
			})
			work.Wait()
			for _, token := range tokens {
				if status, _ := h.me(token); status == 200 {
					h.Errorf("round %d: a token outlived its session", round)
				}
			}
			h.eventually("the guard refuses all", func() bool {
				for _, token := range tokens {
					if h.get("/page", bearer(token)).saw != nil {
						return false
					}
				}
				return true
			})
			if round == 2 {
				h.call("PUT", "/v1/users/"+id, map[string]any{"user": map[string]any{"state": "active"}})
			}
		}
	})
}

// me refreshes a token.
func (h *host) me(token string) (int, map[string]any) {
	h.Helper()
	return h.callAs("", "GET", "/v1/users/me", nil, "Authorization", "Bearer "+token)
}
