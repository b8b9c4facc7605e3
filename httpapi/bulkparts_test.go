package httpapi_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// sealedSecret is what no two exports have alike: a secret is sealed anew each time.
var sealedSecret = regexp.MustCompile(`"sealed":"[^"]+"`)

// everything asks an export for all that there is.
const everything = "?password_hashes=true&memberships=true&api_keys=true&authenticators=true&recovery_codes=true"

// TestBulkRoundTripOfEverything exports a realm with all that its users have, imports that into an empty one, and exports
// again: the same but for how secrets are sealed. In the copy people sign in with their codes, programs with their keys, and
// all may do what they might.
func TestBulkRoundTripOfEverything(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		enrolment, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "phone", core.Request{})
		w.must(err)
		_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, enrolment.ID, w.code(enrolment.Secret), core.Request{})
		w.must(err)
		_, err = w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "never finished", core.Request{})
		w.must(err)
		_, codes, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
		w.must(err)
		w.clock.Advance(time.Minute)
		w.must(w.bothFactors(w.realm.ID, codes[0]))
		w.secret(codes...)
		robot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("robot")}, core.Request{})
		w.must(err)
		_, key, err := w.APIKeys.Create(w.ctx, w.realm.ID, "robot", core.NewAPIKey{Name: "narrow", Permissions: []string{"read"}, Addresses: []string{"192.0.2.0/24"},
			ExpiresAt: w.clock.Now().Add(time.Hour)}, core.Request{})
		w.must(err)
		const chosen = "chosen-by-somebody-with-128-bits-of-it-0123456789abcdef"
		_, _, err = w.APIKeys.Create(w.ctx, w.realm.ID, "robot", core.NewAPIKey{Key: chosen}, core.Request{})
		w.must(err)
		w.secret(key, chosen, enrolment.Secret)
		for i, state := range []core.State{core.StateActive, core.StateInactive} {
			org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: ptr(fmt.Sprint("org ", i)), State: &state, Reference: ptr("r"),
				Custom: &core.Custom{"plan": []byte(`"gold"`)}}, core.Request{})
			w.must(err)
			for _, user := range []core.UserID{ann.ID, robot.ID} {
				_, err := w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: user, Org: org.ID, MembershipChange: core.MembershipChange{
					Permissions: &[]string{"read", "write"}, ExpiresAt: ptr(w.clock.Now().Add(48 * time.Hour)), Custom: &core.Custom{"seat": []byte("7")}}}, core.Request{})
				w.must(err)
			}
		}

		copied, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "copy"}, core.Request{})
		w.must(err)
		status, exported := w.bulk("GET", everything, w.realm.ID, nil)
		if status != 200 || len(exported) != 4 {
			t.Fatalf("export = %d with %d lines; want two orgs and two users", status, len(exported))
		}
		for _, query := range []string{"?dry_run=true", "", ""} {
			want := map[string]string{"?dry_run=true": "created", "": "created"}[query]
			if _, there := w.bulk("GET", "", copied.ID, nil); there[0] != "" {
				want = "exists"
			}
			_, said := w.bulk("POST", query, copied.ID, strings.NewReader(strings.Join(exported, "")))
			for _, line := range said[:len(said)-1] {
				if !strings.Contains(line, `"status":"`+want+`"`) {
					t.Errorf("import%s says %s; want %s", query, line, want)
				}
			}
		}
		_, again := w.bulk("GET", everything, copied.ID, nil)
		bare := func(lines []string) string { return sealedSecret.ReplaceAllString(strings.Join(lines, ""), "") }
		if bare(again) != bare(exported) {
			t.Errorf("export of the import:\n%s\nwant\n%s", bare(again), bare(exported))
		}
		w.livesOn(copied.ID, enrolment.Secret, key, chosen)
		w.codesLiveOn(copied.ID, codes)
		if _, plain := w.bulk("GET", "", w.realm.ID, nil); len(plain) != 2 || strings.Contains(strings.Join(plain, ""), "digest") {
			t.Errorf("an export that asks for nothing has %q", plain)
		}
	})
}

// bothFactors signs ann in with her password and a code.
func (w *world) bothFactors(realm core.RealmID, code string) error {
	w.Helper()
	in, err := w.Passwords.Authenticate(w.ctx, realm, "ann", goodPassword, core.Request{})
	w.must(err)
	w.secret(in.LoginToken)
	done, err := w.SecondFactors.Complete(w.ctx, realm, "ann", in.LoginToken, code, core.Request{})
	if err == nil {
		w.secret(done.Token)
	}
	return err
}

// codesLiveOn holds that of ann's recovery codes the first, which was used before she was copied, is good for nothing in the copy, and the
// others are good once; also in a copy of the copy.
func (w *world) codesLiveOn(realm core.RealmID, codes []string) {
	w.Helper()
	again, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "copy of the copy"}, core.Request{})
	w.must(err)
	_, exported := w.bulk("GET", everything, realm, nil)
	w.bulk("POST", "", again.ID, strings.NewReader(strings.Join(exported, "")))
	for _, realm := range []core.RealmID{realm, again.ID} {
		for _, tt := range []struct {
			code string
			want error
		}{{codes[0], core.ErrWrongCode}, {codes[1], nil}, {codes[1], core.ErrWrongCode}, {codes[9], nil}} {
			if err := w.bothFactors(realm, tt.code); err != tt.want {
				w.Errorf("sign in with a recovery code = %v; want %v", err, tt.want)
			}
		}
	}
}

// TestCopiedSecretsStaySealed offers what is sealed of a factor as another kind of factor: what the API shows of an authenticator that is
// new would be the secret of one that counts, or the key of all recovery codes.
func TestCopiedSecretsStaySealed(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	enrolment, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "phone", core.Request{})
	w.must(err)
	w.secret(enrolment.Secret)
	_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, enrolment.ID, w.code(enrolment.Secret), core.Request{})
	w.must(err)
	_, _, err = w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
	w.must(err)
	copied, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "copy"}, core.Request{})
	w.must(err)
	_, exported := w.bulk("GET", "?authenticators=true&recovery_codes=true", w.realm.ID, nil)
	for _, tt := range []struct{ before, after string }{
		{`"authenticators":[{`, `"authenticators":[{"new":true,`},
		{`"recovery_codes":{`, `"authenticators":[{"new":true,"name":"x",`},
		{`"recovery_codes":{`, `"authenticators":[{"name":"x",`},
	} {
		line := strings.ReplaceAll(exported[0], tt.before, tt.after)
		if strings.HasPrefix(tt.before, `"recovery`) {
			line = regexp.MustCompile(`"authenticators":\[\{"id.*?\}\],`).ReplaceAllString(line, "")
			line = strings.Replace(line, "}}", "}]}", 1)
		}
		_, said := w.bulk("POST", "", copied.ID, strings.NewReader(line))
		if !strings.Contains(said[0], "sealed under another master key") {
			t.Errorf("import %s says %s; want that it does not open", line, said[0])
		}
	}
}

// livesOn holds that a copied realm works as the one that it is of.
func (w *world) livesOn(realm core.RealmID, secret string, keys ...string) {
	w.Helper()
	w.clock.Advance(time.Minute) // past the code that was used
	in, err := w.Passwords.Authenticate(w.ctx, realm, "ann", goodPassword, core.Request{})
	w.must(err)
	if in.LoginToken == "" {
		w.Fatal("no second factor is asked for in the copy")
	}
	done, err := w.SecondFactors.Complete(w.ctx, realm, "ann", in.LoginToken, w.code(secret), core.Request{})
	w.must(err)
	w.secret(in.LoginToken, done.Token)
	who, err := w.Sessions.Resolve(w.ctx, realm, done.Token)
	w.must(err)
	if len(who.Orgs) != 1 || !slices.Equal(who.Orgs[0].Permissions, []string{"read", "write"}) {
		w.Errorf("ann may %+v in the copy; want read and write in the org that is active", who.Orgs)
	}
	for i, key := range keys {
		want, err := w.APIKeys.Resolve(w.ctx, w.realm.ID, key, netip.MustParseAddr("192.0.2.7"))
		w.must(err)
		want.Realm = realm
		if who, err := w.APIKeys.Resolve(w.ctx, realm, key, netip.MustParseAddr("192.0.2.7")); err != nil || !reflect.DeepEqual(who, want) {
			w.Errorf("key %d of the robot is %+v, %v; want %+v", i, who, err, want)
		}
	}
	if _, err := w.APIKeys.Resolve(w.ctx, realm, keys[0], netip.MustParseAddr("198.51.100.1")); err == nil {
		w.Error("a key that is limited to addresses is taken from elsewhere in the copy")
	}
}

// TestImportOfPartsSaysWhatIsWrong goes through parts that cannot be imported.
func TestImportOfPartsSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	const user, api = `"username":"cid","email":"c@example.com"`, `"username":"bot","user_type":"api"`
	const digest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	id := `"id":"usr_0000000000000000000000"`
	for _, tt := range []struct{ line, says string }{
		{`{"object":"org","name":"x"}`, "Id must be org_ and 22 letters and digits"},
		{`{"object":"org","id":"org_0000000000000000000000"}`, "Name can't be blank"},
		{`{"object":"org","id":"org_0000000000000000000000","name":"x","email":"a@example.com"}`, "Email is not an attribute that can be set here"},
		{`{` + id + `,` + user + `,"memberships":[{"id":"mb_0000000000000000000000","org_id":"org_0000000000000000000000"}]}`, "Org does not exist"},
		{`{` + id + `,` + user + `,"memberships":[{"id":"mb_0000000000000000000001"}]}`, "Id must begin with mb_ and go with the user's"},
		{`{` + id + `,` + user + `,"memberships":[{"id":"mb_0000000000000000000000","permissions":["a b"]}]}`, "Permissions must have"},
		{`{` + id + `,` + user + `,"memberships":[7]}`, "Memberships must be an array of objects"},
		{`{` + id + `,` + user + `,"api_keys":[{"id":"crd_0000000000000000000000","digest":"` + digest + `"}]}`, "API keys are for api users only"},
		{`{` + id + `,` + api + `,"api_keys":[{"id":"crd_0000000000000000000000","digest":"short"}]}`, "API keys must have the digest that an export has"},
		{`{` + id + `,` + api + `,"api_keys":[{"id":"crd_0000000000000000000000","digest":"` + digest + `","key":"x"}]}`, "Key is not an attribute"},
		{`{` + id + `,` + user + `,"authenticators":[{"id":"crd_0000000000000000000000","name":"x","sealed":"x"}]}`, "Authenticators are sealed under another master key"},
		{`{` + id + `,` + user + `,"recovery_codes":{"id":"crd_0000000000000000000000","sealed":"x"}}`, "Recovery codes are sealed under another master key"},
		{`{` + id + `,` + api + `,"recovery_codes":{"id":"crd_0000000000000000000000","sealed":"x"}}`, "Recovery codes are for human users only"},
		{`{` + id + `,` + user + `,"recovery_codes":[]}`, "Recovery codes must be an object"},
		{`{` + id + `,` + user + `,"authenticators":[{"id":"crd_0000000000000000000000","name":"x","sealed":"x","last_step":1.5}]}`, "Last step must be a whole number"},
	} {
		_, lines := w.bulk("POST", "", w.realm.ID, strings.NewReader(tt.line))
		if !strings.Contains(lines[0], `"failed"`) || !strings.Contains(lines[0], tt.says) {
			t.Errorf("import %s says %s; want %q", tt.line, lines[0], tt.says)
		}
	}
	if _, lines := w.bulk("GET", everything, w.realm.ID, nil); lines[0] != "" {
		t.Errorf("what failed left %q", lines)
	}
}
