package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestKeyBeforeBody sends bodies that cannot be read: who may not send one is told that, and nothing of the body.
func TestKeyBeforeBody(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	w.secret("ko_wrong")
	for _, line := range []string{"PUT /v1/users/ann", "POST /v1/users", "POST /v1/users/ann/authenticate", "DELETE /v1/users/ann", "DELETE /v1/sessions/kss_x"} {
		for _, body := range []string{"{", strings.Repeat(" ", 128<<10+1)} {
			w.want(w.do(line, "Content-Type: application/json", body), http.StatusForbidden, "management key")
			w.want(w.do(line, "Content-Type: text/plain\nX-Authrocket-Api-Key: ko_wrong", body), http.StatusForbidden, "management key")
			reader := w.newKey(w.realm.ID, core.PermissionRead)
			w.want(w.do(line, "Content-Type: application/json\nX-Authrocket-Api-Key: "+reader, body), http.StatusForbidden, "permission")
		}
	}
}

// TestMeWithKey shows management keys where a user is asked for: a wrong one is refused, a right one is no user, and a
// user's token beside one still says who "me" is.
func TestMeWithKey(t *testing.T) {
	w := newWorld(t)
	token := w.provided("ann").Token
	for _, method := range []string{"GET", "HEAD", "DELETE"} {
		line := method + " /v1/users/me"
		w.want(w.do(line, "X-Authrocket-Api-Key: nonsense", ""), http.StatusForbidden, "")
		w.want(w.do(line, "Authorization: Bearer ko_nonsense", ""), http.StatusForbidden, "")
		w.want(w.do(line, "X-Authrocket-Api-Key: "+w.key, ""), http.StatusNotFound, "")
		w.want(w.do(line, "Authorization: Bearer "+w.key, ""), http.StatusNotFound, "")
	}
	w.want(w.do("GET /v1/users/me", "X-Authrocket-Api-Key: "+w.key+"\nAuthorization: Bearer "+token, ""), http.StatusOK, `"ann"`)
}

// TestRealmNamedTwice names two realms in one call.
func TestRealmNamedTwice(t *testing.T) {
	w := newWorld(t)
	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
	w.must(err)
	w.human("ann")
	here, there := string(w.realm.ID), string(other.ID)
	headers := "Content-Type: application/json\nX-Authrocket-Api-Key: " + w.key
	for _, c := range []struct {
		query, body string
		status      int
	}{
		{"?realm_id=" + here, `{"realm_id":"` + there + `"}`, 422},
		{"?realm_id=" + here, `{"user":{"realm_id":"` + there + `"}}`, 422},
		{"?realm_id=" + here + "&realm_id=" + there, `{}`, 422},
		{"", `{"user":{"realm_id":"` + here + `"},"realm_id":"` + there + `"}`, 422},
		{"?realm_id=" + here, `{"user":{"realm_id":"` + here + `"},"realm_id":"` + here + `"}`, 200},
		{"?realm_id=", `{"user":{"realm_id":"` + here + `"},"realm_id":null}`, 200},
	} {
		a := w.do("PUT /v1/users/ann"+c.query, headers, c.body)
		if a.StatusCode != c.status || c.status == 422 && !strings.Contains(a.text, "named twice") {
			t.Errorf("PUT %s %s = %d %s; want %d", c.query, c.body, a.StatusCode, a.text, c.status)
		}
	}
	headers += "\nX-Authrocket-Realm: " + here
	w.want(w.do("GET /v1/users/ann", headers+"\nX-Authrocket-Realm: "+there, ""), http.StatusUnprocessableEntity, "named twice")
	w.want(w.do("GET /v1/users/ann", headers+"\nAuthrocket-Realm: "+there, ""), http.StatusUnprocessableEntity, "named twice")
	w.want(w.do("GET /v1/users/ann", headers+"\nAuthrocket-Realm: "+here, ""), http.StatusOK, `"ann"`)
	w.want(w.do("GET /v1/users/ann?realm_id="+here, "X-Authrocket-Realm: "+there+"\nX-Authrocket-Api-Key: "+w.key, ""), http.StatusOK, `"ann"`)
}

// TestRealmThatCannotBeRead names a realm in a query that is not encoded as URLs are, or as an array: no call acts in the realm of the headers instead.
func TestRealmThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other;x"}, core.Request{})
	w.must(err)
	w.human("ann")
	headers := "X-Authrocket-Api-Key: " + w.key + "\nX-Authrocket-Realm: " + string(w.realm.ID)
	for query, want := range map[string]struct {
		status int
		told   string
	}{
		"realm_id=100%":                               {422, "not encoded"},
		"realm_id=%zz":                                {422, "not encoded"},
		"x=1&realm%5fid=%ff":                          {422, "not encoded"},
		"realm_id[]=%zz":                              {422, "not encoded"},
		"realm_id=nowhere;x":                          {404, "Realm not found"},
		"realm_id=other;x":                            {404, "User not found"},
		"realm_id[]=" + string(other.ID):              {404, "User not found"},
		"realm_id[0]=" + string(other.ID):             {404, "User not found"},
		"realm_id[]=a&realm_id=b":                     {422, "named twice"},
		"realm_id[]=" + string(w.realm.ID) + "&x=%zz": {200, ""},
	} {
		w.want(w.do("GET /v1/users/ann?"+query, headers, ""), want.status, want.told)
		if want.status != http.StatusOK {
			w.want(w.do("DELETE /v1/users/ann?"+query, headers, ""), want.status, want.told)
		}
	}
}

// TestHeadOfMe asks whether a token is good: the answer promises no length, since that of GET has a token more.
func TestHeadOfMe(t *testing.T) {
	w := newWorld(t)
	token := w.provided("ann").Token
	for _, accept := range []string{"application/json", "application/vnd.api+json"} {
		a := w.want(w.do("HEAD /v1/users/me", "Accept: "+accept+"\nAuthorization: Bearer "+token, ""), http.StatusOK, "")
		if length := a.Header.Get("Content-Length"); length != "" {
			t.Errorf("HEAD /v1/users/me promises %s bytes; want no promise", length)
		}
	}
}

// TestPlusCountsOnce guesses under a name with a bare plus, which may stand for a space: each guess is one attempt, and
// one hash.
func TestPlusCountsOnce(t *testing.T) {
	w := newWorld(t)
	w.human("no+body")
	for range 10 {
		w.want(w.manage("POST /v1/users/no+body/authenticate", `{"password":"wrong"}`), http.StatusUnauthorized, "")
	}
	w.want(w.manage("POST /v1/users/no+body/authenticate", `{"password":"wrong"}`), http.StatusTooManyRequests, "")

	before := w.store.applied.Load()
	w.want(w.manage("POST /v1/users/some+one/authenticate", `{"password":"wrong"}`), http.StatusNotFound, "")
	if n := w.store.applied.Load() - before; n != 1 {
		t.Errorf("one sign-in under an unknown name with a plus noted %d failures; want 1", n)
	}
}

// TestDeleteIsStrict sends DELETE bodies that say what nobody reads: better nothing is deleted than too much.
func TestDeleteIsStrict(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	session := string(w.signIn("ann").Session.ID)
	for _, line := range []string{"DELETE /v1/users/ann", "DELETE /v1/sessions/" + session} {
		w.want(w.manage(line, `{"dry_run":true}`), http.StatusUnprocessableEntity, `"dry_run"`)
		w.want(w.manage(line, `{"realm_id":7}`), http.StatusUnprocessableEntity, `"realm_id"`)
	}
	w.want(w.manage("GET /v1/sessions/"+session, ""), http.StatusOK, session)
	w.want(w.manage("DELETE /v1/users/ann", `{"request":{"ip":"10.0.0.1"},"expand":"memberships"}`), http.StatusNoContent, "")
}

// TestValidationDetail holds what clients that match on texts rely on: a detail begins with one sentence for each code.
func TestValidationDetail(t *testing.T) {
	w := newWorld(t)
	w.want(w.provide("POST /v1/users", w.apt(""), w.document("")), http.StatusUnprocessableEntity,
		`"detail":"Some attributes are not valid: Arbitrary id can't be blank"`)
}
