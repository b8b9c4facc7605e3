package core_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// told returns the claims m and cs of a token, as JSON.
func (w *world) told(token string) string {
	w.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	w.must(err)
	var claims struct {
		M  json.RawMessage `json:"m"`
		CS json.RawMessage `json:"cs"`
	}
	w.must(json.Unmarshal(body, &claims))
	return string(claims.M) + string(claims.CS)
}

// asks has the realm's tokens tell some fields.
func (w *world) asks(fields ...core.TokenField) {
	w.Helper()
	_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.TokenFields = fields }}, core.Request{})
	w.must(err)
}

// TestTokenTellsMemberships by each of the fields, for sign-ins and refreshes alike, and nothing of them in slim tokens.
func TestTokenTellsMemberships(t *testing.T) {
	each(t, func(w *world) {
		custom := core.Custom{"plan": json.RawMessage(`"gold"`)}
		org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: ptr("Acme"), Custom: &custom}, core.Request{})
		w.must(err)
		ann := w.human("ann")
		w.joins(ann.ID, org.ID, "read", "write")
		w.joins(ann.ID, "", "admin")
		asleep := w.org("Asleep")
		w.joins(ann.ID, asleep.ID, "never")
		w.turns(asleep.ID, core.StateInactive)
		id := `"oid":"` + string(org.ID) + `"`
		for _, c := range []struct {
			fields []core.TokenField
			want   string
		}{
			{nil, ""},
			{[]core.TokenField{core.TokenMemberships}, `[{` + id + `,"p":["read","write"],"cs":{}},{"p":["admin"],"cs":{}}]`},
			{[]core.TokenField{core.TokenOrgs}, `[{` + id + `,"o":"Acme","ocs":{"plan":"gold"}}]`},
			{[]core.TokenField{core.TokenMemberships, core.TokenOrgs},
				`[{` + id + `,"p":["read","write"],"cs":{},"o":"Acme","ocs":{"plan":"gold"}},{"p":["admin"],"cs":{}}]`},
		} {
			w.asks(c.fields...)
			in := w.signIn("ann")
			again, err := w.Sessions.Refresh(w.ctx, in.Token)
			w.must(err)
			slim, err := w.Sessions.RefreshSlim(w.ctx, in.Token)
			w.must(err)
			cookie, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{Slim: true})
			w.must(err)
			for what, got := range map[string][2]string{"sign-in": {in.Token, c.want}, "refresh": {again.Token, c.want}, "slim refresh": {slim.Token, ""}, "slim sign-in": {cookie.Token, ""}} {
				if told := w.told(got[0]); told != got[1] {
					t.Errorf("%v, %s: the token tells %s; want %s", c.fields, what, told, got[1])
				}
			}
		}
	})
}

// TestTokenTellsThatThereIsNothing where the realm asks for it: the Users API's clients look into what they were promised, and take null
// for a name that is missing.
func TestTokenTellsThatThereIsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		bob := w.human("bob")
		w.joins(bob.ID, "")
		w.joins(bob.ID, w.org("Acme").ID)
		for _, c := range []struct{ field, ann, bob string }{
			{"custom", `{}`, `{}`},
			{"memberships", `[]`, `"p":[],"cs":{}}`},
			{"orgs", `[]`, `"o":"Acme","ocs":{}}]`},
		} {
			w.asks(core.TokenField(c.field))
			for name, want := range map[string]string{"ann": c.ann, "bob": c.bob} {
				if told := w.told(w.signIn(name).Token); !strings.HasSuffix(told, want) && strings.Count(told, want) != 2 {
					t.Errorf("%s: the token of %s tells %s; want %s", c.field, name, told, want)
				}
			}
		}
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(w.signIn("ann").Token, ".")[1])
		w.must(err)
		if !strings.Contains(string(body), `"fn":null,"ln":null,"n":"ann"`) {
			t.Errorf("claims = %s; want no names as null", body)
		}
	})
}

// TestTokenTooLong is refused, while its slim form is not: it fits into a cookie whatever the user is called.
func TestTokenTooLong(t *testing.T) {
	each(t, func(w *world) {
		w.asks(core.TokenMemberships)
		ann := w.human("ann")
		for range 10 {
			w.joins(ann.ID, w.org("Acme").ID, longPermissions()...)
		}
		_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
		w.refused("sign-in", err, core.ErrTokenTooLong)
		slim := core.Request{Slim: true}
		_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, slim)
		w.must(err)
		long, username := strings.Repeat("<", 255), strings.Repeat("界", 85)
		_, err = w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{Username: &username, FirstName: &long, LastName: &long}, core.Request{})
		w.must(err)
		in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, username, goodPassword, slim)
		w.must(err)
		again, err := w.Sessions.RefreshSlim(w.ctx, in.Token)
		w.must(err)
		for _, token := range []string{in.Token, again.Token} {
			if len(token) > 4<<10-256 {
				w.Errorf("a token for a cookie has %d bytes", len(token))
			}
		}
	})
}

// longPermissions are as many and as long as they may be.
func longPermissions() []string {
	var list []string
	for c := 'a'; c < 'a'+20; c++ {
		list = append(list, strings.Repeat(string(c), 62))
	}
	return list
}
