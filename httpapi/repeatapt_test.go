package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// vouched is provide with an Idempotency-Key.
func (w *world) vouched(name, line, apt, body string) *answer {
	w.Helper()
	return w.do(line, "Idempotency-Key: "+name+"\nAuthorization: Bearer "+apt+"\nAccept: application/vnd.api+json\nContent-Type: application/vnd.api+json", body)
}

// sessionsOf returns how many sessions a provided user has.
func (w *world) sessionsOf(arbitraryID string) int {
	w.Helper()
	list := w.want(w.manage("GET /v1/users?reference="+arbitraryID, ""), 200, "")
	users := list.json["collection"].([]any)
	if len(users) != 1 {
		w.Fatalf("GET /v1/users?reference=%s = %s; want one user", arbitraryID, list.text)
	}
	page, err := w.Sessions.List(w.ctx, w.realm.ID, core.ListSessions{User: core.UserID(users[0].(map[string]any)["id"].(string))})
	w.must(err)
	return len(page.Sessions)
}

// TestRepeatByAPT makes a user and has a token reissued, each twice, with an APT of its own for each try.
func TestRepeatByAPT(t *testing.T) {
	each(t, func(w *world) {
		for i, line := range []string{"POST /v1/users", "POST /v1/users/reauth"} {
			first := w.want(w.vouched(line[5:], line, w.apt("ann"), w.document("ann")), 201, `"token":"ey`)
			w.replayed(w.vouched(line[5:], line, w.apt("ann"), w.document("ann")), first)
			w.replayed(w.vouched(line[5:], line, w.sdkAPT("ann"), w.document("ann")), first)
			if n := w.sessionsOf("ann"); n != i+1 {
				w.Errorf("after %s twice: %d sessions; want %d", line, n, i+1)
			}
			w.want(w.vouched(line[5:], line, w.apt("ann"), w.document("ann")+" "), 422, "used for another call")
		}
	})
}

// TestRepeatByAPTIsOfOne uses one name for calls about two users, and with two keys of one environment: each is another call.
func TestRepeatByAPTIsOfOne(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"POST /v1/users", "POST /v1/users/reauth"} {
		for _, id := range []string{"ann", "bob"} {
			body := `{"data":{"type":"user","attributes":{}}}` // the APT alone names the user
			w.want(w.vouched(line[5:], line, w.apt(id), body), 201, `"arbitrary_id":"`+id+`"`)
		}
	}
	for _, id := range []string{"carl", "dora"} { // whom the call alone names
		w.want(w.vouched("one", "POST /v1/users", w.apt(""), w.document(id)), 201, `"arbitrary_id":"`+id+`"`)
	}
	body := w.document("eve")
	first := w.want(w.vouched("one", "POST /v1/users", w.apt("eve"), body), 201, "")
	ours := w.signer
	w.signer = w.secondSigner()
	w.want(w.vouched("one", "POST /v1/users", w.apt("eve"), body), 409, "")
	w.signer = ours
	w.replayed(w.vouched("one", "POST /v1/users", w.apt("eve"), body), first)
}

// secondSigner makes another APT key of the environment.
func (w *world) secondSigner() *jose.PrivateKey {
	w.Helper()
	made := w.want(w.manage("POST /v1/apt_keys", `{"apt_key":{"generate":"ES256"}}`), 201, "")
	w.secret(made.field("private_key"))
	signer, err := jose.ParsePrivateKey([]byte(made.field("private_key")))
	w.must(err)
	return signer
}

// TestRepeatWantsAnAPT repeats calls as somebody would who captured them, with all their headers.
func TestRepeatWantsAnAPT(t *testing.T) {
	each(t, func(w *world) {
		for _, c := range []struct {
			id, line string
			sign     func() string
			again    int // an APT that may be used again proves as much as before
		}{
			{"ann", "POST /v1/users", func() string { return w.apt("ann") }, 401},
			{"ann", "POST /v1/users/reauth", func() string { return w.apt("ann") }, 401},
			{"bob", "POST /v1/users", func() string { return w.apt("") }, 401},
			{"carl", "POST /v1/users", func() string { return w.sdkAPT("") }, 401},
			{"dora", "POST /v1/users", func() string { return w.sdkAPT("dora") }, 201},
			{"dora", "POST /v1/users/reauth", func() string { return w.sdkAPT("dora") }, 201},
		} {
			apt := c.sign()
			w.want(w.vouched(c.line[5:], c.line, apt, w.document(c.id)), 201, "")
			a := w.want(w.vouched(c.line[5:], c.line, apt, w.document(c.id)), c.again, "")
			if c.again == 401 && strings.Contains(a.text, `"token":"ey`) {
				w.Errorf("%s with the APT of the first call = %s; want no token", c.line, a.text)
			}
			fresh := w.apt(c.id)
			for _, want := range []int{201, 401} { // the one of a repetition works once too
				w.want(w.vouched(c.line[5:], c.line, fresh, w.document(c.id)), want, "")
			}
			w.clock.Advance(2 * time.Minute)
			w.want(w.vouched(c.line[5:], c.line, apt, w.document(c.id)), 401, "")
		}
	})
}

// TestRepeatKeepsNoRefusal has calls with an APT refused: nothing of that is kept, so that the store is filled by nobody who may not fill
// it with users; and who proves nothing learns nothing of names.
func TestRepeatKeepsNoRefusal(t *testing.T) {
	w := newWorld(t)
	w.want(w.vouched("one", "POST /v1/users/reauth", w.apt("ann"), w.document("ann")), 404, "")
	w.provided("ann")
	first := w.want(w.vouched("one", "POST /v1/users/reauth", w.apt("ann"), w.document("ann")), 201, "")
	w.replayed(w.vouched("one", "POST /v1/users/reauth", w.apt("ann"), w.document("ann")), first)

	before := w.store.applied.Load()
	w.want(w.vouched("one", "POST /v1/users/reauth", "e30.e30.e30", w.document("ann")), 401, "")
	w.want(w.vouched("a b", "POST /v1/users/reauth", "e30.e30.e30", w.document("ann")), 401, "")
	w.want(w.vouched("one", "POST /v1/users/reauth", w.apt("ann"), "{"), 400, "")
	w.want(w.vouched("a b", "POST /v1/users/reauth", w.apt("ann"), w.document("ann")), 400, "Idempotency-Key")
	if n := w.store.applied.Load() - before; n != 0 {
		t.Errorf("calls that prove nothing, or are none, changed the store %d times; want 0", n)
	}
}

// TestRepeatByAPTClashes has somebody else change the user just before the session is written: the call is carried out anew, with an
// APT that it has spent itself.
func TestRepeatByAPTClashes(t *testing.T) {
	each(t, func(w *world) {
		w.provided("ann")
		w.clock.Advance(24 * time.Hour) // so that the reissue writes the user
		user := w.want(w.manage("GET /v1/users?reference=ann", ""), 200, "").json["collection"].([]any)[0].(map[string]any)["id"].(string)
		changed := false
		w.before(3, func() error { // after the claim, and the mark of the APT
			changed = true
			_, err := w.Users.Update(w.ctx, w.realm.ID, user, core.UserChange{LastName: ptr("Other")}, core.Request{})
			return err
		})
		w.want(w.vouched("one", "POST /v1/users/reauth", w.apt("ann"), w.document("ann")), 201, `"arbitrary_id":"ann"`)
		w.want(w.manage("GET /v1/users/"+user, ""), 200, `"last_name":"Other"`)
		if !changed {
			w.Error("nothing came before the third change")
		}
	})
}

// TestRepeatByAPTAfterCrash has the store fail at each Apply of a call in turn; whoever asks again with another APT has one user, and one
// session more.
func TestRepeatByAPTAfterCrash(t *testing.T) {
	each(t, func(w *world) {
		for step := 1; step <= 4; step++ {
			for _, after := range []bool{false, true} {
				id := fmt.Sprintf("ann-%d-%t", step, after)
				for i, line := range []string{"POST /v1/users", "POST /v1/users/reauth"} {
					call := func() *answer { return w.vouched(line[5:], line, w.apt(id), w.document(id)) }
					w.store.crash(step, after)
					a := call()
					if crashed := w.store.restart(); a.StatusCode != 503 && crashed || a.StatusCode != 201 && !crashed {
						w.Errorf("%s with the store gone at Apply %d (after it: %t) = %d %s; want 503 where it failed, else 201", line, step, after, a.StatusCode, a.text)
					}
					if a = call(); a.StatusCode == http.StatusConflict {
						w.clock.Advance(31 * time.Second)
						a = call()
					}
					w.want(a, 201, "")
					w.replayed(call(), &answer{Response: &http.Response{StatusCode: 201, Header: http.Header{
						"Etag": a.Header["Etag"], "Content-Type": a.Header["Content-Type"]}}, text: a.text})
					if n := w.sessionsOf(id); n != i+1 {
						w.Errorf("%s with the store gone at Apply %d (after it: %t): %d sessions; want %d", line, step, after, n, i+1)
					}
				}
			}
		}
	})
}
