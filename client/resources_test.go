package client_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
)

// TestOrgs walks through an org's life, and a member's.
func TestOrgs(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		org, err := w.c.Orgs.Create(w.ctx, client.OrgCreate{Name: "Shop", Reference: "c-1", Custom: map[string]any{"tier": 2}})
		w.must(err)
		got, err := w.c.Orgs.Update(w.ctx, org.ID, client.OrgUpdate{Name: new("Shop & Co"), Reference: new("")})
		w.must(err)
		if got.Name != "Shop & Co" || got.Reference != nil || string(got.Custom["tier"]) != "2" {
			w.Errorf("Update = %+v; want a new name, no reference, and custom as it was", got)
		}
		until := w.clock.Now().Add(time.Hour).Truncate(time.Second)
		m, err := w.c.Memberships.Create(w.ctx, client.MembershipCreate{UserID: ann.ID, OrgID: org.ID, Permissions: []string{"read"}, ExpiresAt: client.At(until)})
		w.must(err)
		if m.ExpiresAt == nil || !m.ExpiresAt.Time().Equal(until) {
			w.Errorf("Create until %s = %v", until, m.ExpiresAt)
		}
		m, err = w.c.Memberships.Update(w.ctx, m.ID, client.MembershipUpdate{Permissions: []string{"read", "write"}})
		w.must(err)
		if len(m.Permissions) != 2 || m.ExpiresAt == nil {
			w.Errorf("Update of permissions = %+v; want two, and the end as it was", m)
		}
		m, err = w.c.Memberships.Update(w.ctx, m.ID, client.MembershipUpdate{Permissions: []string{}, ExpiresAt: new(client.Time)})
		w.must(err)
		if len(m.Permissions) != 0 || m.ExpiresAt != nil {
			w.Errorf("Update that clears = %+v; want neither permissions nor an end", m)
		}
		for of, err := range w.c.Memberships.All(w.ctx, client.MembershipListOptions{UserID: ann.ID}) {
			w.must(err)
			if of.ID != m.ID || of.Org == nil || of.Org.ID != org.ID {
				w.Errorf("All of ann = %+v; want the one, with its org", of)
			}
		}
		u, err := w.c.Users.Get(w.ctx, "ann", client.WithMemberships())
		w.must(err)
		if len(u.Memberships) != 1 || u.Memberships[0].ID != m.ID {
			w.Errorf("Get with memberships = %+v; want the one", u.Memberships)
		}
		w.must(w.c.Memberships.Delete(w.ctx, m.ID))
		if _, err := w.c.Memberships.Get(w.ctx, m.ID); !errors.Is(err, client.ErrNotFound) {
			w.Errorf("Get of a deleted membership = %v; want ErrNotFound", err)
		}
		joined, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "human", Username: "ben", Email: "ben@example.com", OrgIDs: []string{org.ID}, Permissions: []string{"read"}})
		w.must(err)
		if joined.MembershipCount != 1 {
			w.Errorf("Create with an org = %d memberships; want 1", joined.MembershipCount)
		}
		w.must(w.c.Orgs.Delete(w.ctx, org.ID))
		for org, err := range w.c.Orgs.All(w.ctx, client.OrgListOptions{Sort: "name"}) {
			w.Errorf("All after Delete = %v, %v; want none", org, err)
		}
	})
}

// TestSessions starts, lists and ends sessions.
func TestSessions(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		made, err := w.c.Sessions.Create(w.ctx, ann.ID, client.From(client.Origin{IP: "192.0.2.1", Client: "Mozilla/5.0"}))
		w.must(err)
		if made.Token == "" || *made.IP != "192.0.2.1" || !made.ExpiresAt.Time().After(w.clock.Now()) {
			w.Errorf("Create = %+v; want a token, and from where", made)
		}
		_, err = w.c.Users.Authenticate(w.ctx, "ann", goodPassword)
		w.must(err)
		got, err := w.c.Sessions.Get(w.ctx, made.Token)
		w.must(err)
		if got.ID != made.ID || got.User.ID != ann.ID {
			w.Errorf("Get by token = %+v; want the session with ann", got)
		}
		ids := func() (ids []string) {
			for s, err := range w.c.Sessions.All(w.ctx, client.SessionListOptions{UserID: ann.ID, Page: client.Page{Max: 1}}) {
				w.must(err)
				ids = append(ids, s.ID)
			}
			return ids
		}
		if got := ids(); len(got) != 2 || got[0] != made.ID {
			w.Errorf("All = %v; want two, %s first", got, made.ID)
		}
		w.must(w.c.Sessions.DeleteAll(w.ctx, ann.ID, made.ID))
		if got := ids(); !slices.Equal(got, []string{made.ID}) {
			w.Errorf("All after all others ended = %v; want %s", got, made.ID)
		}
		w.must(w.c.Sessions.Delete(w.ctx, made.Token))
		if _, err := w.c.Sessions.Get(w.ctx, made.Token); !errors.Is(err, client.ErrNotFound) || strings.Contains(err.Error(), made.Token) {
			w.Errorf("Get of a session that ended = %v; want ErrNotFound, without the token", err)
		}
		if err := w.c.Sessions.DeleteAll(w.ctx, "", ""); !errors.Is(err, client.ErrInvalid) {
			w.Errorf("DeleteAll of nobody = %v; want ErrInvalid", err)
		}
	})
}

// TestUserTokens parks a signup and makes a user of it, once.
func TestUserTokens(t *testing.T) {
	w := newWorld(t, boltStore(t))
	parked, err := w.c.UserTokens.Create(w.ctx, client.UserTokenCreate{Username: "ann", Email: "ann@example.com", Password: goodPassword})
	w.must(err)
	got, err := w.c.UserTokens.Get(w.ctx, parked.ID)
	w.must(err)
	if got.Username != "ann" || *got.CredentialType != "password" {
		t.Errorf("Get = %+v; want ann with a password", got)
	}
	user, err := w.c.UserTokens.Redeem(w.ctx, parked.ID, client.Joining{Org: &client.OrgCreate{Name: "Ann's"}, Permissions: []string{"own"}})
	w.must(err)
	if user.Username != "ann" || user.MembershipCount != 1 {
		t.Errorf("Redeem = %+v; want ann in an org", user)
	}
	if _, err := w.c.UserTokens.Redeem(w.ctx, parked.ID, client.Joining{}); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("Redeem again = %v; want ErrInvalid", err)
	}
}

// TestCredentials makes an API key with bounds, moves and lifts them, and replaces the key.
func TestCredentials(t *testing.T) {
	w := newWorld(t, boltStore(t))
	robot, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "api", Username: "robot", Permissions: []string{"a", "b"}, Org: &client.OrgCreate{Name: "Shop"}})
	w.must(err)
	until := w.clock.Now().Add(time.Hour).Truncate(time.Second)
	made, err := w.c.Credentials.Create(w.ctx, client.CredentialCreate{UserID: robot.ID, CredentialType: client.CredentialAPIKey, Name: "ci",
		Permissions: []string{"a"}, AllowedAddresses: []string{"192.0.2.0/24"}, ExpiresAt: client.At(until)})
	w.must(err)
	if made.APIKey == nil || made.Key == "" || !made.ExpiresAt.Equal(until) || !slices.Equal(made.AllowedAddresses, []string{"192.0.2.0/24"}) {
		t.Fatalf("Create = %+v; want a key with its bounds", made)
	}
	update := func(in client.CredentialUpdate) *client.Credential {
		w.Helper()
		got, err := w.c.Credentials.Update(w.ctx, made.ID, in)
		w.must(err)
		return got
	}
	if got := update(client.CredentialUpdate{Name: new("cd")}); got.Name != "cd" || got.ExpiresAt.IsZero() || len(got.Permissions) != 1 || got.Key != "" {
		t.Errorf("Update of the name = %+v %+v; want all else as it was", got, got.APIKey)
	}
	if got := update(client.CredentialUpdate{Permissions: new([]string{})}); got.Permissions == nil || len(got.Permissions) != 0 {
		t.Errorf("Update to no permissions = %v; want none", got.Permissions)
	}
	got := update(client.CredentialUpdate{Permissions: new([]string(nil)), ExpiresAt: new(client.Time), AllowedAddresses: []string{}})
	if got.Permissions != nil || !got.ExpiresAt.IsZero() || len(got.AllowedAddresses) != 0 {
		t.Errorf("Update that lifts all bounds = %+v; want none", got.APIKey)
	}
	if got := update(client.CredentialUpdate{APIKey: new("generate")}); got.Key == "" || got.Key == made.Key {
		t.Errorf("Update of the key = %q; want another than %q", got.Key, made.Key)
	}
	if _, err := w.c.Users.AuthenticateKey(w.ctx, made.Key); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("AuthenticateKey with the former key = %v; want ErrNotFound", err)
	}
	w.must(w.c.Credentials.Delete(w.ctx, made.ID))
	if _, err := w.c.Credentials.Get(w.ctx, made.ID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("Get of a deleted credential = %v; want ErrNotFound", err)
	}
}

// TestSecondFactor enrols an authenticator and signs in with a recovery code.
func TestSecondFactor(t *testing.T) {
	w := newWorld(t, boltStore(t))
	ann := w.human("ann")
	totp, err := w.c.Credentials.Create(w.ctx, client.CredentialCreate{UserID: ann.ID, CredentialType: client.CredentialTOTP, Name: "phone"})
	w.must(err)
	if totp.TOTP == nil || totp.State != "new" || totp.OTPSecret == "" {
		t.Fatalf("Create = %+v; want a new authenticator with its secret", totp)
	}
	if _, err := w.c.Credentials.Verify(w.ctx, totp.ID, "000000"); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("Verify of a made-up code = %v; want ErrInvalid", err)
	}
	active, err := w.c.Credentials.Verify(w.ctx, totp.ID, code(t, totp.OTPSecret, w.clock.Now()))
	w.must(err)
	if active.State != "active" {
		t.Errorf("Verify = %s; want active", active.State)
	}
	recovery, err := w.c.Credentials.Create(w.ctx, client.CredentialCreate{UserID: ann.ID, CredentialType: client.CredentialRecoveryCodes})
	w.must(err)
	half, err := w.c.Users.Authenticate(w.ctx, "ann", goodPassword)
	w.must(err)
	if half.Token != "" || half.LoginToken == "" {
		t.Fatalf("Authenticate = %+v; want a login token alone", half)
	}
	if _, err := w.c.Users.AuthenticateCode(w.ctx, "ann", half.LoginToken, "000000"); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("AuthenticateCode with a wrong one = %v; want ErrUnauthenticated", err)
	}
	in, err := w.c.Users.AuthenticateCode(w.ctx, "", half.LoginToken, recovery.Codes[0])
	w.must(err)
	if in.Token == "" || in.LoginToken != "" || in.User.ID != ann.ID {
		t.Errorf("AuthenticateCode = %+v; want ann's token", in)
	}
}

// TestRealmsOfTheirOwn makes a realm, changes and clears its policies, and deletes it.
func TestRealmsOfTheirOwn(t *testing.T) {
	each(t, func(w *world) {
		realm, err := w.c.Realms.Create(w.ctx, client.RealmChange{Name: new("shop"), JWTAlgo: new("EdDSA")})
		w.must(err)
		if realm.Name != "shop" || realm.JWTAlgo != "EdDSA" || *realm.SessionMinutes != 360 {
			w.Errorf("Create = %+v; want shop, EdDSA, 360 minutes", realm)
		}
		realm, err = w.c.Realms.Update(w.ctx, realm.ID, client.RealmChange{SessionMinutes: new(client.Minutes), PasswordMinLength: new(20),
			JWTFields: []string{"custom"}, RequireUniqueEmails: new(false), ResourceLinks: json.RawMessage(`["a"]`), APTEncryption: new("accept"), SessionType: new("unmanaged")})
		w.must(err)
		if realm.SessionMinutes != nil || realm.PasswordMinLength != 20 || len(realm.JWTFields) != 1 || realm.RequireUniqueEmails || *realm.APTEncryption != "accept" || realm.SessionType != "unmanaged" {
			w.Errorf("Update = %+v; want what was set", realm)
		}
		realm, err = w.c.Realms.Update(w.ctx, realm.ID, client.RealmChange{SessionMinutes: new(client.Minutes(30)), PasswordMinLength: new(0), JWTFields: []string{}, APTEncryption: new("")})
		w.must(err)
		if *realm.SessionMinutes != 30 || realm.PasswordMinLength == 20 || len(realm.JWTFields) != 0 || realm.APTEncryption != nil {
			w.Errorf("Update back = %+v; want the defaults", realm)
		}
		shop := w.c.InRealm(realm.ID)
		_, err = shop.Users.Create(w.ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com"})
		w.must(err)
		if _, err := w.c.Users.Get(w.ctx, "ann"); !errors.Is(err, client.ErrNotFound) {
			w.Errorf("Get of ann in another realm = %v; want ErrNotFound", err)
		}
		w.must(w.c.Realms.RotateKeys(w.ctx, realm.ID))
		set, err := w.client(client.Options{}).Realms.KeySet(w.ctx, realm.ID)
		w.must(err)
		var keys struct{ Keys []struct{ Kid string } }
		if err := json.Unmarshal(set, &keys); err != nil || len(keys.Keys) < 2 {
			w.Errorf("KeySet = %s, %v; want two keys at least", set, err)
		}
		_, err = w.c.Realms.Reset(w.ctx, realm.ID)
		w.must(err)
		if _, err := w.c.Realms.Usage(w.ctx, realm.ID, client.UsageOptions{From: "2026-11-23", To: "2026-11-20"}); !errors.Is(err, client.ErrInvalid) {
			w.Errorf("Usage from after to = %v; want ErrInvalid", err)
		}
		w.must(w.c.Realms.Delete(w.ctx, realm.ID))
		for one, err := range w.c.Realms.All(w.ctx, client.RealmListOptions{State: "active"}) {
			w.must(err)
			if one.ID == realm.ID {
				w.Error("All after Delete has the realm")
			}
		}
	})
}

// TestKeys makes, changes and deletes keys of each kind.
func TestKeys(t *testing.T) {
	w := newWorld(t, boltStore(t))
	apt, err := w.c.APTKeys.Create(w.ctx, client.APTKeyCreate{Name: "provider", Generate: "ES256"})
	w.must(err)
	apt, err = w.c.APTKeys.Update(w.ctx, apt.ID, client.APTKeyUpdate{NotAfter: client.At(w.clock.Now().Add(time.Hour))})
	w.must(err)
	if apt.Name != "provider" || apt.NotAfter.IsZero() || apt.PrivateKey != "" {
		t.Errorf("Update = %+v; want an end, and the name as it was", apt)
	}
	apt, err = w.c.APTKeys.Update(w.ctx, apt.ID, client.APTKeyUpdate{NotAfter: new(client.Time), State: new("retired")})
	w.must(err)
	if !apt.NotAfter.IsZero() || apt.State != "retired" {
		t.Errorf("Update = %+v; want it retired, without an end", apt)
	}
	w.must(w.c.APTKeys.Delete(w.ctx, apt.ID))

	jwt, err := w.c.JWTKeys.Create(w.ctx)
	w.must(err)
	list, err := w.c.JWTKeys.List(w.ctx)
	w.must(err)
	if len(list.Collection) != 2 || list.Collection[1].ID != jwt.ID {
		t.Errorf("List = %+v; want two, the new one last", list.Collection)
	}
	w.must(w.c.JWTKeys.Delete(w.ctx, list.Collection[0].ID))

	key, err := w.c.ManagementKeys.Create(w.ctx, client.ManagementKeyCreate{Name: "reader", RealmID: w.realm, Permissions: []string{"read"}})
	w.must(err)
	reader := w.client(client.Options{Key: key.Secret})
	if _, err := reader.Users.List(w.ctx, client.UserListOptions{}); err != nil {
		t.Errorf("List with a key to read = %v", err)
	}
	if err := reader.Users.Delete(w.ctx, "ann"); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("Delete with a key to read = %v; want ErrForbidden", err)
	}
	key, err = w.c.ManagementKeys.Update(w.ctx, key.ID, client.ManagementKeyUpdate{Name: new("second")})
	w.must(err)
	names := []string{}
	for k, err := range w.c.ManagementKeys.All(w.ctx, client.Page{Max: 1}) {
		w.must(err)
		names = append(names, k.Name)
	}
	if !slices.Contains(names, "second") || len(names) != 2 {
		t.Errorf("All = %v; want two, one of them second", names)
	}
	w.must(w.c.ManagementKeys.Delete(w.ctx, key.ID))
	if _, err := reader.Users.List(w.ctx, client.UserListOptions{}); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("List with a deleted key = %v; want ErrForbidden", err)
	}
}

// TestManagementKeyRealms makes keys with clients that have a realm, and one that has none: no key is for all realms because something was left out.
func TestManagementKeyRealms(t *testing.T) {
	w := newWorld(t, boltStore(t))
	other, err := w.c.Realms.Create(w.ctx, client.RealmChange{Name: new("other")})
	w.must(err)
	here, nowhere := w.c.InRealm(w.realm), w.c.InRealm("")
	for _, test := range []struct {
		c    *client.Client
		in   client.ManagementKeyCreate
		want string // "" = all
	}{
		{here, client.ManagementKeyCreate{}, w.realm},
		{here, client.ManagementKeyCreate{RealmID: other.ID}, other.ID},
		{here, client.ManagementKeyCreate{AllRealms: true}, ""},
		{nowhere, client.ManagementKeyCreate{}, ""},
		{nowhere, client.ManagementKeyCreate{RealmID: "other"}, other.ID},
		{nowhere, client.ManagementKeyCreate{AllRealms: true}, ""},
		{nowhere, client.ManagementKeyCreate{RealmID: other.ID, AllRealms: true}, other.ID},
	} {
		test.in.Name, test.in.Permissions = "one", []string{"read"}
		key, err := test.c.ManagementKeys.Create(w.ctx, test.in)
		w.must(err)
		if got := *cmp.Or(key.RealmID, new("")); got != test.want {
			t.Errorf("Create(%+v) = a key for %q; want %q", test.in, got, test.want)
		}
	}
}

// TestPolicies sets how to sign in.
func TestPolicies(t *testing.T) {
	w := newWorld(t, boltStore(t))
	providers, err := w.c.AuthProviders.List(w.ctx)
	w.must(err)
	i := slices.IndexFunc(providers.Collection, func(p client.AuthProvider) bool { return p.ProviderType == "password" })
	if i < 0 {
		t.Fatalf("List = %+v; want the password one", providers)
	}
	p, err := w.c.AuthProviders.Update(w.ctx, providers.Collection[i].ID, client.AuthProviderUpdate{MinLength: new(16), MinComplexity: new(3), RequiredChars: []string{"digit"}})
	w.must(err)
	if *p.MinLength != 16 || *p.MinComplexity != 3 || !slices.Equal(p.RequiredChars, []string{"digit"}) {
		t.Errorf("Update = %+v; want what was set", p)
	}
	p, err = w.c.AuthProviders.Update(w.ctx, p.ID, client.AuthProviderUpdate{MinLength: new(0), MinComplexity: new(0), RequiredChars: []string{}})
	w.must(err)
	if *p.MinLength == 16 || len(p.RequiredChars) != 0 {
		t.Errorf("Update = %+v; want the defaults", p)
	}

	policy, err := w.c.LoginPolicies.Create(w.ctx, client.LoginPolicyChange{Name: new("shop"), Header: new("Welcome"), Domains: []string{"example.com"}})
	w.must(err)
	policy, err = w.c.LoginPolicies.Update(w.ctx, policy.ID, client.LoginPolicyChange{Header: new(""), Domains: []string{}})
	w.must(err)
	if policy.Name != "shop" || policy.Header != nil || len(policy.Domains) != 0 {
		t.Errorf("Update = %+v; want neither header nor domains", policy)
	}
	w.must(w.c.LoginPolicies.Delete(w.ctx, policy.ID))
}

// TestEvents lists what happened, by type, user and time.
func TestEvents(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		w.human("ben")
		_, _ = w.c.Users.Authenticate(w.ctx, "ann", "wrong", client.From(client.Origin{IP: "192.0.2.7"}))
		types := func(o client.EventListOptions) (types []string) {
			w.Helper()
			for e, err := range w.c.Events.All(w.ctx, o) {
				w.must(err)
				types = append(types, e.EventType)
			}
			return types
		}
		if got := types(client.EventListOptions{UserID: ann.ID, Page: client.Page{Max: 1}}); !slices.Equal(got, []string{"user.login.failed", "user.created"}) {
			w.Errorf("All of ann = %v; want the latest first", got)
		}
		if got := types(client.EventListOptions{UserID: ann.ID, Asc: true}); !slices.Equal(got, []string{"user.created", "user.login.failed"}) {
			w.Errorf("All of ann, the oldest first = %v", got)
		}
		if got := types(client.EventListOptions{EventTypes: []string{"user.created", "user.login"}}); len(got) != 3 {
			w.Errorf("All of two types = %v; want three", got)
		}
		if got := types(client.EventListOptions{CreatedAfter: w.clock.Now().Add(time.Hour)}); got != nil {
			w.Errorf("All of the future = %v; want none", got)
		}
		list, err := w.c.Events.List(w.ctx, client.EventListOptions{UserID: ann.ID, Page: client.Page{Max: 1}, WithNotifications: true})
		w.must(err)
		e, err := w.c.Events.Get(w.ctx, list.Collection[0].ID)
		w.must(err)
		if !list.MoreResults || list.Collection[0].Notifications == nil || e.Request.IP != "192.0.2.7" {
			w.Errorf("List = %+v, Get = %+v; want one with notifications, and where it was from", list, e)
		}
		if _, err := w.c.Events.Redeliver(w.ctx, "ent_none"); !errors.Is(err, client.ErrNotFound) {
			w.Errorf("Redeliver of nothing = %v; want ErrNotFound", err)
		}
	})
}

// TestAppHooks makes a webhook and an e-mail, and looks at what they would send.
func TestAppHooks(t *testing.T) {
	w := newWorld(t, boltStore(t))
	made, err := w.c.AppHooks.Create(w.ctx, client.AppHookCreate{HookType: "webhook",
		AppHookChange: client.AppHookChange{EventType: []string{"user.created"}, Destination: new("https://hooks.example.com/postern")}})
	w.must(err)
	if made.Secret == "" || made.RealmID == nil || *made.RealmID != w.realm {
		t.Errorf("Create = %+v; want a secret, in the realm", made)
	}
	everywhere, err := w.c.AppHooks.Create(w.ctx, client.AppHookCreate{HookType: "webhook", AllRealms: true, AppHookChange: client.AppHookChange{Destination: new("https://hooks.example.com/all")}})
	w.must(err)
	if everywhere.RealmID != nil {
		t.Errorf("Create for all realms = %+v; want it without one", everywhere)
	}
	rotated, err := w.c.AppHooks.RotateSecret(w.ctx, made.ID)
	w.must(err)
	if rotated.Secret == "" || rotated.Secret == made.Secret {
		t.Error("RotateSecret made no other secret")
	}
	changed, err := w.c.AppHooks.Update(w.ctx, made.ID, client.AppHookChange{EventType: []string{}, Delay: new(int64(60))})
	w.must(err)
	if len(changed.EventType) != 0 || changed.Delay != 60 || *changed.Destination != *made.Destination {
		t.Errorf("Update = %+v; want all events, a minute late", changed)
	}
	event, err := w.c.AppHooks.Ping(w.ctx, made.ID)
	w.must(err)
	if event.EventType != "ping" {
		t.Errorf("Ping = %+v; want a ping", event)
	}
	mail, err := w.c.AppHooks.Create(w.ctx, client.AppHookCreate{HookType: "email", AppHookChange: client.AppHookChange{
		EventType: []string{"user.email.verification_requested"}, EmailFrom: new("shop@example.com"), EmailSubject: new("Welcome")}})
	w.must(err)
	preview, err := w.c.AppHooks.Preview(w.ctx, mail.ID, w.human("ann").ID)
	w.must(err)
	if preview.To != "ann@example.com" || preview.Subject != "Welcome" {
		t.Errorf("Preview = %+v; want it to ann", preview)
	}
	n := 0
	for _, err := range w.c.AppHooks.All(w.ctx, client.Page{Max: 1}) {
		w.must(err)
		n++
	}
	if n != 3 {
		t.Errorf("All = %d hooks; want 3", n)
	}
	w.must(w.c.AppHooks.Delete(w.ctx, made.ID))
}
