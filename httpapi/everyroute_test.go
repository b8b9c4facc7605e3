package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi"
)

// TestEveryPostIsRepeatable sends every POST of the table under a name of its own, to a thing that is not there, and a second time: that
// is answered as the first, and a third time with another body, which is refused. A route that is new is among them.
func TestEveryPostIsRepeatable(t *testing.T) {
	w := newWorld(t)
	w.provided("ann")
	for _, r := range httpapi.Routes() {
		if r[0] != http.MethodPost {
			continue
		}
		line := "POST " + strings.NewReplacer("{", "no-", "}", "").Replace(r[1])
		call := func(body string) *answer { return w.again("one-"+r[1], line, body) }
		switch r[1] {
		case "/v1/users/reauth": // which no management key allows
			call = func(body string) *answer {
				return w.vouched("one", line, w.apt("ann"), w.document("ann")+strings.ReplaceAll(body, "{}", ""))
			}
		case "/v1/bulk/users":
			call = func(body string) *answer { return w.importOnce("one", "", body).answer() }
		}
		first := call(" {}")
		if first.StatusCode >= 500 || first.StatusCode == 409 || first.StatusCode == 429 {
			t.Errorf("%s = %d %s, which is not kept; this test needs another call of it", line, first.StatusCode, first.text)
		}
		again, other := call(" {}"), call("{}  ")
		if again.StatusCode != first.StatusCode || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s again = %d %s; want it replayed: %d %s", line, again.StatusCode, again.text, first.StatusCode, first.text)
		}
		w.want(other, 422, "used for another call")
	}
}

// TestEveryThingHasATag walks the table: whatever GET reads below an address has a tag, and every PUT and DELETE there asks for it. Where
// nothing can be read, nothing matches.
func TestEveryThingHasATag(t *testing.T) {
	w := newWorld(t)
	things, ids := w.things(), map[string]string{}
	for i, th := range things {
		if th.id == "" {
			things[i].id = w.want(w.manage("POST "+th.path, th.create), 201, "").field("id")
		}
		ids[th.path] = things[i].id
	}
	ids["/v1/events/login"] = w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), 200, "").field("token")
	for _, r := range httpapi.Routes() {
		path, name, _ := strings.Cut(r[1], "/{")
		id, there := ids[path]
		line := r[0] + " " + path + "/" + id
		switch single := strings.IndexByte(name, '}') == len(name)-1 && name != ""; {
		case single && !there:
			t.Errorf("%s %s: this test needs one of these", r[0], r[1])
		case r[0] == http.MethodGet && single:
			if a := w.want(w.manage(line, ""), 200, ""); a.Header.Get("ETag") == "" {
				t.Errorf("%s has no ETag", line)
			}
		case slices.Contains([]string{http.MethodPut, http.MethodPatch, http.MethodDelete}, r[0]):
			if !single {
				line = r[0] + " " + strings.Replace(r[1], "{user}", "ann", 1)
				w.want(w.manageIf(line, "If-Match: *", "{}"), 412, "not as If-Match")
			}
			w.want(w.manageIf(line, `If-Match: "another"`, "{}"), 412, "not as If-Match")
			w.want(w.manageIf(line, `If-Match: W/"another"`, "{}"), 412, "not as If-Match")
			w.want(w.manageIf(line, "If-None-Match: *", "{}"), 412, "not as If-Match")
		}
	}
	for _, th := range slices.Backward(things) { // what one belongs to goes after it
		w.matchesAny(th)
	}
}

// matchesAny changes and removes a thing whatever it is like, as long as it is there.
func (w *world) matchesAny(th thing) {
	w.Helper()
	if th.change != "" {
		change := fmt.Sprintf(th.change, "any")
		w.want(w.manageIf("PUT "+th.path+"/"+th.id, "If-Match: *", change), 200, "")
		w.want(w.manageIf("PUT "+th.path+"/nothing", "If-Match: *", change), 404, "")
	}
	if !th.remove {
		return
	}
	w.want(w.manageIf("DELETE "+th.path+"/nothing", "If-Match: *", ""), 404, "")
	if a := w.manageIf("DELETE "+th.path+"/"+th.id, "If-Match: *", ""); a.StatusCode != 204 && a.StatusCode != 202 {
		w.Errorf("DELETE %s/%s with If-Match: * = %d %s; want it gone", th.path, th.id, a.StatusCode, a.text)
	}
}
