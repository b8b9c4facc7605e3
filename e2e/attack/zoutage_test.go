package attack

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-auth/postern/internal/proctest"
)

// TestOutage stops Redis under requests, then kills it and starts it again. Nobody may be told to sign in because of that, no cookie
// may be taken away, and nobody may be let in who was not. It comes last: the others need their store.
func TestOutage(t *testing.T) {
	each(t, func(h *host) {
		if h.redis == nil {
			return // the embedded store is a part of the program
		}
		seen, unseen := h.users["ann"].token, h.newUser("unseen"+stamp(), nil).token
		gone := h.newUser("gone"+stamp(), nil).token
		sid, _ := h.takeApart(gone).claims["sid"].(string)
		h.call("DELETE", "/v1/sessions/"+sid, nil)
		check := func(when string) (answered bool) {
			h.Helper()
			for _, token := range []string{seen, unseen} {
				for _, line := range []string{bearer(token), "Cookie: __Host-postern=" + token} {
					a := h.get("/page", line)
					if a.status != 200 && a.status != 503 || len(a.header["Set-Cookie"]) > 0 || a.status == 503 && a.header.Get("Retry-After") == "" {
						h.Errorf("%s: somebody signed in = %d %v; want 200, or 503 with Retry-After, and no cookie", when, a.status, a.header)
					}
					answered = answered || a.status == 200
				}
			}
			if a := h.get("/page", bearer(gone)); a.status == 200 {
				h.Errorf("%s: somebody whose session was ended is let in", when)
			}
			if a := h.get("/page"); a.status != 401 {
				h.Errorf("%s: nobody = %d; want 401", when, a.status)
			}
			if a := h.get("/open/page", "Cookie: __Host-postern="+unseen); a.saw == nil || len(a.header["Set-Cookie"]) > 0 {
				h.Errorf("%s: a public path = %d %v; want it open, and the cookie kept", when, a.status, a.header)
			}
			for _, call := range []string{"GET /v1/users/me", "GET /v1/users/" + h.users["ann"].id, "POST /v1/users/ann/authenticate"} {
				method, path, _ := strings.Cut(call, " ")
				header := http.Header{"X-Authrocket-Api-Key": {h.key}, "X-Authrocket-Realm": {"default"}}
				var body any
				if strings.HasSuffix(path, "/me") {
					header = http.Header{"Authorization": {"Bearer " + unseen}}
				} else if method == "POST" {
					body = map[string]any{"password": password}
				}
				if status, _, text := h.send(method, "http://"+h.api+path, body, header); status != 200 && status != 503 && status != 429 {
					h.Errorf("%s: %s = %d %s; want 200 or 503", when, call, status, text)
				}
			}
			if a := h.form("/auth/sign-out", nil, "Sec-Fetch-Site: same-origin", "Cookie: __Host-postern="+gone); a.status != 303 && a.status != 503 || a.status == 503 && len(a.header["Set-Cookie"]) > 0 {
				h.Errorf("%s: signing out = %d %v", when, a.status, a.header)
			}
			return answered
		}
		check("before")
		h.must(h.redis.Process.Signal(syscall.SIGSTOP))
		h.eventually("what is remembered is not relied on any more", func() bool { return !check("while Redis is stopped") })
		h.must(h.redis.Process.Signal(syscall.SIGCONT))
		h.eventually("all is well again", func() bool { return check("when Redis is back") && h.get("/page", bearer(unseen)).status == 200 })
		h.redis.Kill()
		h.eventually("what is remembered is not relied on any more", func() bool { return !check("while Redis is dead") })
		again := exec.Command(h.redis.Path, h.redis.Args[1:]...)
		again.Env = h.redis.Env
		redis, err := proctest.Start(again)
		h.must(err)
		defer redis.Kill()
		h.eventually("all is well again", func() bool { return check("when Redis is up again") && h.get("/page", bearer(unseen)).status == 200 })
		if text, _ := os.ReadFile(h.log); strings.Contains(string(text), "panic") {
			h.Error("the log tells of a panic")
		}
	})
}
