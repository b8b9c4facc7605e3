package httpapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestRepeatAfterCrash has the store fail at each Apply of a call in turn, before the change or after it, so that the caller
// hears nothing; a repetition, at once or once the first is given up, makes one thing and shows it.
func TestRepeatAfterCrash(t *testing.T) {
	each(t, func(w *world) {
		n := 0
		for _, after := range []bool{false, true} {
			for step := 1; step <= 3; step++ {
				for path, body := range map[string]string{
					"/v1/users":       `{"user":{"user_type":"human","username":"u%d","email":"u%d@example.com","password":"` + goodPassword + `"}}`,
					"/v1/realms":      `{"realm":{"name":"r%d%.0d"}}`,
					"/v1/app_hooks":   `{"app_hook":{"hook_type":"webhook","destination":"https://h%d%.0d.example.com"}}`,
					"/v1/memberships": `{"membership":{"user_id":"` + string(w.human(fmt.Sprintf("m%d%t%d", step, after, len(w.secrets))).ID) + `","permissions":["p%d%.0d"]}}`,
				} {
					n++
					w.crashAt(step, after, path, fmt.Sprintf(body, n, n))
				}
			}
		}
	})
}

// crashAt makes a thing while the store fails at one Apply, and repeats that.
func (w *world) crashAt(step int, after bool, path, body string) {
	w.Helper()
	what := fmt.Sprintf("POST %s %s with the store gone at Apply %d (after it: %t)", path, body, step, after)
	name := fmt.Sprintf("crash-%d-%t-%s", step, after, path)
	before := w.amount(path)
	w.store.crash(step, after)
	a := w.again(name, "POST "+path, body)
	crashed := w.store.restart()
	if a.StatusCode != 503 && crashed || a.StatusCode != 201 && !crashed {
		w.Errorf("%s = %d %s; want 503 where it failed, else 201", what, a.StatusCode, a.text)
	}
	for wait := 0; ; wait++ {
		a = w.again(name, "POST "+path, body)
		if a.StatusCode != http.StatusConflict || wait > 1 {
			break
		}
		w.clock.Advance(31 * time.Second)
	}
	w.want(a, 201, "")
	w.replayed(w.again(name, "POST "+path, body), &answer{Response: &http.Response{StatusCode: 201, Header: http.Header{
		"Etag": a.Header["Etag"], "Content-Type": a.Header["Content-Type"]}}, text: a.text})
	if now := w.amount(path); now != before+1 {
		w.Errorf("%s: %d things more; want 1", what, now-before)
	}
}

// amount returns how many things there are of a kind.
func (w *world) amount(path string) int {
	w.Helper()
	list := w.want(w.manage("GET "+path, ""), 200, "")
	return len(list.json["collection"].([]any))
}
