package hosttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// RevocationSettings are what the guard of a host is made with for Revocations.
var RevocationSettings = guard.Settings{
	From:   []guard.Source{guard.SourceBearer, guard.SourceAPIKey},
	Policy: guard.Policy{Require: []string{"read"}},
}

// RevocationCaddyfile is the same as RevocationSettings, as a block of postern_auth.
const RevocationCaddyfile = `postern_auth {
		from bearer api_key
		require read
	}`

// Node is a core over the store of a host that another process runs.
type Node struct {
	*core.Core
	Realm core.RealmID // that the host guards; Revocations leaves nobody in it
}

// revocation is a change at one node, and what another says then to whom it has remembered.
type revocation struct {
	name   string
	key    bool // of who shows an API key; else of who shows a token
	status int
	change func(context.Context, Node, *member) error
}

// member is somebody who gets in: a person with a session, and a program with an API key, who have their permission in the same org.
type member struct {
	person, program core.UserID
	in              *core.SignedIn
	org             core.OrgID
	joined          core.MembershipID // of the person
	credential      core.CredentialID
	key             string
}

var revocations = []revocation{
	{"the session is ended", false, 401, func(ctx context.Context, n Node, m *member) error {
		return n.Sessions.Delete(ctx, n.Realm, m.in.Session.ID, core.Request{})
	}},
	{"all sessions of the user are ended", false, 401, func(ctx context.Context, n Node, m *member) error {
		return n.Sessions.EndAll(ctx, n.Realm, string(m.person), "", core.Request{})
	}},
	{"the password is replaced", false, 401, func(ctx context.Context, n Node, m *member) error {
		return n.update(ctx, m.person, core.UserChange{Password: new("another four words, as long")})
	}},
	{"the user is deactivated", false, 401, func(ctx context.Context, n Node, m *member) error {
		return n.update(ctx, m.person, core.UserChange{State: new(core.StateInactive)})
	}},
	{"the user is deleted", false, 401, func(ctx context.Context, n Node, m *member) error {
		return n.Users.Delete(ctx, n.Realm, string(m.person), core.Request{})
	}},
	{"the permission is taken away", false, 403, func(ctx context.Context, n Node, m *member) error {
		_, err := n.Memberships.Update(ctx, n.Realm, m.joined, core.MembershipChange{Permissions: &[]string{"write"}}, core.Request{})
		return err
	}},
	{"the membership is ended", false, 403, func(ctx context.Context, n Node, m *member) error {
		return n.Memberships.Delete(ctx, n.Realm, m.joined, core.Request{})
	}},
	{"the org is deactivated", false, 403, func(ctx context.Context, n Node, m *member) error {
		_, err := n.Orgs.Update(ctx, n.Realm, m.org, core.OrgChange{State: new(core.StateInactive)}, core.Request{})
		return err
	}},
	{"the org is deleted", true, 403, func(ctx context.Context, n Node, m *member) error {
		return n.Orgs.Delete(ctx, n.Realm, m.org, core.Request{})
	}},
	{"another API key takes the place of this one", true, 401, func(ctx context.Context, n Node, m *member) error {
		_, _, err := n.APIKeys.Update(ctx, n.Realm, m.credential, core.APIKeyChange{Key: new(core.GenerateAPIKey)}, core.Request{})
		return err
	}},
	{"the API key is narrowed", true, 403, func(ctx context.Context, n Node, m *member) error {
		_, _, err := n.APIKeys.Update(ctx, n.Realm, m.credential, core.APIKeyChange{Permissions: &[]string{"write"}}, core.Request{})
		return err
	}},
	{"the API key is deleted", true, 401, func(ctx context.Context, n Node, m *member) error {
		return n.Credentials.Delete(ctx, n.Realm, m.credential, core.Request{})
	}},
	{"the API key's user is deactivated", true, 403, func(ctx context.Context, n Node, m *member) error {
		return n.update(ctx, m.program, core.UserChange{State: new(core.StateInactive)})
	}},
	{"the signing key is retired", false, 401, func(ctx context.Context, n Node, _ *member) error {
		former, err := n.Realms.NewestJWTKey(ctx, n.Realm)
		if err != nil {
			return err
		}
		if err := n.Realms.RotateKeys(ctx, n.Realm, core.Request{}); err != nil {
			return err
		}
		return n.Realms.RetireJWTKey(ctx, n.Realm, former.ID, core.Request{})
	}},
	{"the realm is deactivated", false, 403, func(ctx context.Context, n Node, _ *member) error {
		return n.setRealm(ctx, core.StateInactive)
	}},
	{"the realm is reset", false, 401, func(ctx context.Context, n Node, _ *member) error {
		_, _, err := n.Realms.Reset(ctx, n.Realm, core.Request{})
		return err
	}},
}

// update changes a user.
func (n Node) update(ctx context.Context, id core.UserID, in core.UserChange) error {
	_, err := n.Users.Update(ctx, n.Realm, string(id), in, core.Request{})
	return err
}

// setRealm makes the realm active or inactive.
func (n Node) setRealm(ctx context.Context, state core.State) error {
	_, err := n.Realms.Update(ctx, n.Realm, core.RealmChange{State: &state}, core.Request{})
	return err
}

// Revocations makes, at a node, each change that takes something from somebody whom the guard at url remembers, and holds that
// guard to refusing it.
func Revocations(t *testing.T, url string, n Node) {
	for i, r := range revocations {
		t.Run(r.name, func(t *testing.T) {
			if err := n.setRealm(t.Context(), core.StateActive); err != nil {
				t.Fatal(err)
			}
			m, err := n.admit(t.Context(), fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			becomes(t, url, r, m, http.StatusOK)
			for range 20 { // so that it is remembered
				if status := asks(t, url, r, m); status != http.StatusOK {
					t.Fatalf("before: %d; want 200", status)
				}
			}
			if err := r.change(t.Context(), n, m); err != nil {
				t.Fatal(err)
			}
			becomes(t, url, r, m, r.status)
		})
	}
}

// admit makes a member.
func (n Node) admit(ctx context.Context, name string) (*member, error) {
	org, err := n.Orgs.Create(ctx, n.Realm, core.OrgChange{Name: &name}, core.Request{})
	if err != nil {
		return nil, err
	}
	m := &member{org: org.ID}
	person, err := n.Users.Create(ctx, n.Realm, core.UserChange{Type: new(core.UserHuman), Username: new("person" + name), Email: new(name + "@example.com"),
		Password: new("four words make it long")}, core.Request{})
	if err != nil {
		return nil, err
	}
	program, err := n.Users.Create(ctx, n.Realm, core.UserChange{Type: new(core.UserAPI), Username: new("program" + name)}, core.Request{})
	if err != nil {
		return nil, err
	}
	m.person, m.program = person.ID, program.ID
	for _, id := range []core.UserID{m.program, m.person} {
		joined, err := n.Memberships.Create(ctx, n.Realm, core.NewMembership{User: id, Org: m.org, MembershipChange: core.MembershipChange{Permissions: &[]string{"read"}}}, core.Request{})
		if err != nil {
			return nil, err
		}
		m.joined = joined.ID
	}
	credential, key, err := n.APIKeys.Create(ctx, n.Realm, string(m.program), core.NewAPIKey{}, core.Request{})
	if err != nil {
		return nil, err
	}
	m.credential, m.key = credential.ID, key
	m.in, err = n.Sessions.Create(ctx, n.Realm, string(m.person), core.Request{})
	return m, err
}

// asks returns the status that a member's request gets.
func asks(t *testing.T, url string, r revocation, m *member) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.in.Token)
	if r.key {
		req.Header.Set("Authorization", "ApiKey "+m.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// becomes asks until a member's requests get a status, soon.
func becomes(t *testing.T, url string, r revocation, m *member, want int) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := asks(t, url, r, m)
		if got == want {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the status stays %d; want %d", got, want)
		}
	}
}
