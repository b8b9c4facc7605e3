package httpapi_test

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
)

// notCopied are the fields of users, by their path, that an export leaves behind, and why.
var notCopied = map[string]string{
	"User.Realm":            "the copy is in another",
	"User.Since":            "when it was imported",
	"User.Generation":       "sessions stay behind",
	"User.Series":           "and so do one-time tokens",
	"User.Memberships":      "counted as it is read",
	"User.NewAPIKey":        "shown once",
	"User.NewDevice":        "likewise",
	"Memberships.Realm":     "the copy is in another",
	"Memberships.User":      "of the record that they lie in",
	"APIKeys.Realm":         "likewise",
	"APIKeys.APIKey.Sealed": "sealed under the realm's own key",
	"APIKeys.APIKey.Era":    "goes with it",
	"APIKeys.Sealed":        "sealed anew each time; GET shows the key",
	"APIKeys.Provider":      "is the realm's, and of credentials of another kind",
	"Authenticators.Sealed": "sealed anew each time; the codes tell",
	"RecoveryCodes.Sealed":  "likewise",
	"APIKeys.TOTP":          "is of credentials of another kind",
	"APIKeys.Recovery":      "likewise",
}

// fieldsOf notes in seen which fields there are in v, by their paths, and whether each is set.
func fieldsOf(v reflect.Value, path string, seen map[string]bool) {
	if notCopied[path] != "" {
		return
	}
	switch v.Interface().(type) {
	case core.Instant, netip.Prefix:
		seen[path] = seen[path] || !v.IsZero()
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		fieldsOf(v.Elem(), path, seen)
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if name == "UserParts" || name == "Credential" { // embedded: its fields count as if they were here
				fieldsOf(v.Field(i), path, seen)
				continue
			}
			fieldsOf(v.Field(i), strings.TrimPrefix(path+"."+name, "."), seen)
		}
	case reflect.Slice:
		seen[path] = seen[path] || v.Len() > 0
		for i := range v.Len() {
			fieldsOf(v.Index(i), path, seen)
		}
		if v.Len() == 0 && v.Type().Elem().Kind() != reflect.Uint8 {
			fieldsOf(reflect.Zero(v.Type().Elem()), path, seen)
		}
	default:
		seen[path] = seen[path] || !v.IsZero()
	}
}

// bare returns a user without what is not copied.
func bare(u core.ExportedUser) core.ExportedUser {
	user := *u.User
	user.Realm, user.Since, user.Generation, user.Series = "", core.Instant{}, 0, nil
	u.User = &user
	for _, m := range u.UserParts.Memberships {
		m.Realm = ""
	}
	for i := range u.APIKeys {
		u.APIKeys[i].Realm, u.APIKeys[i].Sealed = "", ""
	}
	for i := range u.Authenticators {
		u.Authenticators[i].Sealed = ""
	}
	if u.RecoveryCodes != nil {
		u.RecoveryCodes.Sealed = ""
	}
	return u
}

// exported returns all users of a realm with all that is theirs.
func (w *world) exported(realm core.RealmID) []core.ExportedUser {
	w.Helper()
	users, more, err := w.Users.Export(w.ctx, realm, "", core.MaxRange, core.ExportParts{Passwords: true, Memberships: true, APIKeys: true, Authenticators: true, RecoveryCodes: true})
	w.must(err)
	if more {
		w.Fatal("more users than a page")
	}
	return users
}

// everyField makes users who have, among them, something in every field that there is.
func (w *world) everyField() {
	w.Helper()
	org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: ptr("shut"), State: ptr(core.StateInactive), Reference: ptr("o-1"),
		Custom: &core.Custom{"plan": []byte(`"<gold>"`)}}, core.Request{})
	w.must(err)
	ann, cid := w.human("ann"), w.provided("acct-1").User
	bob := w.want(w.manage("POST /v1/users", `{"user":{"username":"bob","email":"bob@example.com","email_verification":"verified","first_name":"Bo","last_name":"B","reference":"b-7",
		"user_type":"human","state":"inactive","custom":{"n":[1,2],"t":"<&>","no":null},"password_hash":"$2b$05$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK"}}`), 201, "").field("id")
	w.want(w.manage("PUT /v1/users/"+bob, `{"user":{"email":"other@example.com"}}`), 200, "")
	w.clock.Advance(time.Minute)
	w.signIn("ann")
	for _, name := range []string{"phone", "never finished"} {
		enrolment, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", name, core.Request{})
		w.must(err)
		w.secret(enrolment.Secret)
		if name == "phone" {
			_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, enrolment.ID, w.code(enrolment.Secret), core.Request{})
			w.must(err)
		}
	}
	_, codes, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
	w.must(err)
	w.secret(codes...)
	w.clock.Advance(time.Minute)
	w.must(w.bothFactors(w.realm.ID, codes[0]))
	for _, user := range []core.UserID{ann.ID, cid.ID} { // who lists it behind recovery codes, and before a password
		enrolment, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, string(user), "later", core.Request{})
		w.must(err)
		w.secret(enrolment.Secret)
	}
	w.clock.Advance(time.Second)
	w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"`+string(cid.ID)+`","credential_type":"password","password":"`+goodPassword+`"}}`), 201, "crd_")
	w.want(w.manage("PUT /v1/realms/"+string(w.realm.ID), `{"realm":{"api_key_policy":"encrypt"}}`), 200, `"encrypt"`)
	robot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("robot"), Name: ptr("Robot")}, core.Request{})
	w.must(err)
	_, key, err := w.APIKeys.Create(w.ctx, w.realm.ID, "robot", core.NewAPIKey{Name: "narrow", Permissions: []string{"read"}, Addresses: []string{"192.0.2.0/24"},
		ExpiresAt: w.clock.Now().Add(time.Hour)}, core.Request{})
	w.must(err)
	w.secret(key)
	_, err = w.APIKeys.Authenticate(w.ctx, w.realm.ID, key, netip.MustParseAddr("192.0.2.7"), core.Request{})
	w.must(err)
	for _, user := range []core.UserID{ann.ID, cid.ID, robot.ID} {
		_, err := w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: user, Org: org.ID, MembershipChange: core.MembershipChange{
			Permissions: &[]string{"read", "write"}, ExpiresAt: ptr(w.clock.Now().Add(48 * time.Hour)), Custom: &core.Custom{"seat": []byte("7")}}}, core.Request{})
		w.must(err)
	}
}

// shown returns what the API shows of a realm's users and orgs, and of all that is theirs, by path; what is each realm's own is taken out.
func (w *world) shown(realm core.RealmID) map[string]string {
	w.Helper()
	paths := []string{"/v1/users?expand[]=custom", "/v1/orgs"}
	for _, u := range w.exported(realm) {
		paths = append(paths, "/v1/users/"+string(u.ID)+"?expand[]=memberships&expand[]=credentials", "/v1/memberships?user_id="+string(u.ID))
		for _, ref := range u.Credentials {
			paths = append(paths, "/v1/credentials/"+string(ref.ID))
		}
		for _, m := range u.UserParts.Memberships {
			paths = append(paths, "/v1/memberships/"+string(m.ID), "/v1/orgs/"+string(m.Org))
		}
	}
	names := []string{string(realm), "REALM"}
	providers, err := w.Realms.AuthProviders(w.ctx, realm)
	w.must(err)
	for _, p := range providers {
		names = append(names, string(p.ID), "PROVIDER")
	}
	all := map[string]string{}
	for _, path := range paths {
		all[path] = strings.NewReplacer(names...).Replace(w.want(w.inRealm(string(realm), "GET "+path, ""), 200, "").text)
	}
	return all
}

// TestLossless takes a realm whose users have something in every field from one kind of store to another: what core keeps of them and what
// the API shows is the same. A field that is added to a user's records and forgotten here, or in an export, is noticed.
func TestLossless(t *testing.T) {
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		for name, open := range map[string][2]func(t *testing.T) core.Store{
			"from a file": {teststore.Bolt, func(t *testing.T) core.Store { return teststore.Redis(t, server) }},
			"to a file":   {func(t *testing.T) core.Store { return teststore.Redis(t, server) }, teststore.Bolt},
		} {
			t.Run(name, func(t *testing.T) {
				from, to := newWorldOn(t, open[0](t)), newWorldOn(t, open[1](t))
				from.everyField()
				to.clock.Advance(time.Hour)
				target := to.realm.ID
				_, lines := from.bulk("GET", everything+"&settings=true", from.realm.ID, nil)
				_, said := to.bulk("POST", "", target, strings.NewReader(strings.Join(lines, "")))
				if sum := said[len(said)-1]; !strings.Contains(sum, `"failed":0`) || len(said) != len(lines)+1 {
					t.Fatalf("import = %q; want nothing failed", said)
				}
				from.sameUsers(to, target)
				got := to.shown(target)
				for path, want := range from.shown(from.realm.ID) {
					if got[path] != want {
						t.Errorf("GET %s = %s\nwant %s", path, got[path], want)
					}
				}
			})
		}
	})
}

// sameUsers holds the users of a copy against those of w's realm, and that each field is set of somebody.
func (w *world) sameUsers(to *world, copied core.RealmID) {
	w.Helper()
	before, after := w.exported(w.realm.ID), to.exported(copied)
	seen := map[string]bool{}
	for _, u := range before {
		fieldsOf(reflect.ValueOf(u), "", seen)
	}
	for _, path := range slices.Sorted(maps.Keys(seen)) {
		if !seen[path] {
			w.Errorf("%s is of nobody: set it in everyField, or say in notCopied why it is not copied", path)
		}
	}
	if len(before) != len(after) || len(before) < 4 {
		w.Fatalf("%d users are copied to %d", len(before), len(after))
	}
	for i := range before {
		if got, want := bare(after[i]), bare(before[i]); !reflect.DeepEqual(got, want) {
			w.Errorf("%s is\n%s\nwant\n%s", want.Username, spelt(got), spelt(want))
		}
	}
}

// spelt shows a user with what is theirs.
func spelt(u core.ExportedUser) string {
	text := fmt.Sprintf("%+v %+v %+v", *u.User, u.Password, u.Authenticators)
	for _, m := range u.UserParts.Memberships {
		text += fmt.Sprintf(" %+v", *m)
	}
	for _, k := range u.APIKeys {
		text += fmt.Sprintf(" %+v %+v", *k.Credential, *k.APIKey)
	}
	return text
}
