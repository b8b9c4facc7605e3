package httpapi_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/teststore"
)

// keptKey is an API key in a realm that keeps its keys.
type keptKey struct {
	id, text string
	shown    bool
}

// keepsKeys has a realm keep its API keys, and returns those of a robot of it: two that are shown again, and one each of before the realm kept any,
// and of before it kept none for a while.
func (w *world) keepsKeys(realm core.RealmID) (all []keptKey) {
	w.Helper()
	policy := func(name string) {
		w.want(w.inRealm(string(realm), "PUT /v1/realms/"+string(realm), `{"realm":{"api_key_policy":"`+name+`"}}`), 200, name)
	}
	makes := func(key string, shown bool) {
		a := w.want(w.inRealm(string(realm), "POST /v1/credentials", `{"credential":{"user_id":"robot","credential_type":"api_key","api_key":"`+key+`"}}`), 201, "crd_")
		all = append(all, keptKey{a.field("id"), a.field("api_key"), shown})
		w.secret(a.field("api_key"))
	}
	w.want(w.inRealm(string(realm), "POST /v1/users", `{"user":{"user_type":"api","username":"robot"}}`), 201, "robot")
	makes("generate", false)
	policy("encrypt")
	makes("generate", false)
	policy("hash")
	policy("encrypt")
	makes("generate", true)
	makes("Zk3vQ9xLpT2mWc8RbYh5Nd", true)
	return all
}

// hasKeys holds that a realm shows those of the keys that are shown, if it shows any, and lets in with all of them.
func (w *world) hasKeys(what string, realm core.RealmID, keys []keptKey, shows bool) {
	w.Helper()
	for _, k := range keys {
		want := k.text
		if !k.shown || !shows {
			want = ""
		}
		if got := w.want(w.inRealm(string(realm), "GET /v1/credentials/"+k.id, ""), 200, k.id).field("api_key"); got != want {
			w.Errorf("%s: GET shows the API key %q; want %q", what, got, want)
		}
		w.want(w.inRealm(string(realm), "POST /v1/users/authenticate_key", `{"api_key":"`+k.text+`"}`), 200, "robot")
	}
}

// sealedKeys returns the lines of an export of API keys, with the realm's settings first, and what is sealed in them.
func (w *world) sealedKeys(realm core.RealmID) (lines []string, sealed []string) {
	w.Helper()
	_, lines = w.bulk("GET", "?settings=true&api_keys=true", realm, nil)
	for _, line := range lines {
		sealed = append(sealed, sealedSecret.FindAllString(line, -1)...)
	}
	return lines, sealed
}

// TestKeptKeysGoAlong takes a realm that keeps its API keys to an empty one that keeps none: the line of its settings has that one keep those
// that come behind. What the former does not show, the latter does not either. A dry run writes nothing, not even a key to seal with.
func TestKeptKeysGoAlong(t *testing.T) {
	each(t, func(w *world) {
		keys := w.keepsKeys(w.realm.ID)
		lines, sealed := w.sealedKeys(w.realm.ID)
		if len(lines) != 2 || len(sealed) != 2 {
			t.Fatalf("the export has %d lines with %d keys; want the realm, and the robot with two", len(lines), len(sealed))
		}
		query := everything + "&settings=true"
		_, exported := w.bulk("GET", query, w.realm.ID, nil)
		copied := w.realmNamed("copy")
		var put strings.Builder
		w.store.kept = &put
		for _, tt := range []struct{ query, realm, user string }{
			{"?dry_run=true", "updated", "created"}, {"", "updated", "created"}, {"", "exists", "exists"}, {"?dry_run=true", "exists", "exists"},
		} {
			before := w.store.applied.Load()
			_, said := w.bulk("POST", tt.query, copied, strings.NewReader(strings.Join(exported, "")))
			if !strings.Contains(said[0], tt.realm) || !strings.Contains(said[1], tt.user) {
				t.Errorf("import%s says %q; want %s and %s", tt.query, said, tt.realm, tt.user)
			}
			if n := w.store.applied.Load() - before; tt.query != "" && n != 0 {
				t.Errorf("a dry run wrote %d times", n)
			}
		}
		w.store.kept = nil
		_, again := w.bulk("GET", query, copied, nil)
		if got, want := sealedSecret.ReplaceAllString(again[1], ""), sealedSecret.ReplaceAllString(exported[1], ""); got != want {
			t.Errorf("export of the import:\n%s\nwant\n%s", got, want)
		}
		w.hasKeys("a copy", copied, keys, true)
		w.hasKeys("the realm itself", w.realm.ID, keys, true)
		for _, k := range keys {
			if strings.Contains(strings.Join(exported, "")+put.String(), k.text) {
				t.Error("an API key is in an export or in the store as it is")
			}
		}
	})
}

// TestKeptKeysOfOtherRealms imports API keys that were sealed elsewhere or tampered with, dry and not. Whoever has a key that was sealed
// under another master key is let in, though the realm cannot show it; what is sealed and is not the key that the line is about is an error.
func TestKeptKeysOfOtherRealms(t *testing.T) {
	w := newWorld(t)
	keys := w.keepsKeys(w.realm.ID)
	lines, sealed := w.sealedKeys(w.realm.ID)
	w.want(w.manage("PUT /v1/credentials/"+keys[2].id, `{"credential":{"api_key":"generate"}}`), 200, "ak_")
	renewed, _ := w.sealedKeys(w.realm.ID)
	w.human("ann")
	_, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "phone", core.Request{})
	w.must(err)
	_, factors := w.bulk("GET", "?authenticators=true", w.realm.ID, nil)
	factor := sealedSecret.FindString(strings.Join(factors, ""))
	const broken, another = "is damaged, or is another credential's", "is another key than its digest says"
	for name, tt := range map[string]struct{ line, says string }{
		"swapped":               {strings.NewReplacer(sealed[0], sealed[1], sealed[1], sealed[0]).Replace(lines[1]), broken},
		"the former key":        {strings.Replace(renewed[1], sealedSecret.FindString(renewed[1]), sealed[0], 1), another},
		"an authenticator's":    {strings.Replace(lines[1], sealed[0], factor, 1), broken},
		"tampered with":         {strings.Replace(lines[1], sealed[0], flipped(sealed[0]), 1), broken},
		"cut short":             {strings.Replace(lines[1], sealed[0], sealed[0][:30]+`"`, 1), broken},
		"no sealed text":        {strings.Replace(lines[1], sealed[0], `"sealed":"x"`, 1), broken},
		"a digest of another":   {strings.Replace(lines[1], digestOf(t, lines[1], 2), strings.Repeat("A", 43), 1), another},
		"an id of another":      {strings.ReplaceAll(lines[1], keys[2].id, keys[2].id[:5]+"0"+keys[2].id[6:]), broken},
		"not a text":            {strings.Replace(lines[1], sealed[0], `"sealed":7`, 1), "Sealed must be"},
		"of every kind missing": {sealedSecret.ReplaceAllString(lines[1], `"sealed":null`), ""},
	} {
		for policy, settings := range map[string]string{"hash": "", "encrypt": lines[0]} {
			copied := w.realmNamed(policy + " and " + name)
			for _, query := range []string{"?dry_run=true", ""} {
				_, said := w.bulk("POST", query, copied, strings.NewReader(settings+tt.line))
				line := said[len(said)-2]
				if tt.says == "" && !strings.Contains(line, `"created"`) || !strings.Contains(line, tt.says) {
					t.Errorf("%s: import%s says %s; want %q", name, query, line, tt.says)
				}
			}
		}
	}
	copied := w.realmNamed("hash")
	w.bulk("POST", "", copied, strings.NewReader(lines[1]))
	w.hasKeys("a realm that keeps none", copied, keys, false)

	other := newWorldUnder(t, teststore.Bolt(t), bytes.Repeat([]byte{7}, core.MasterKeySize))
	copied = other.realmNamed("elsewhere")
	_, said := other.bulk("POST", "", copied, strings.NewReader(strings.Join(lines, "")))
	if !strings.Contains(said[1], `"created"`) {
		t.Errorf("import under another master key says %s; want the robot made", said[1])
	}
	other.hasKeys("another installation", copied, keys, false)
}

// TestKeptKeysOfAFormerMasterKey imports what was exported before the master key was replaced.
func TestKeptKeysOfAFormerMasterKey(t *testing.T) {
	w := newWorld(t)
	keys := w.keepsKeys(w.realm.ID)
	lines, _ := w.sealedKeys(w.realm.ID)
	master, err := core.NewMasterKey(bytes.Repeat([]byte{7}, core.MasterKeySize))
	w.must(err)
	_, err = w.ReplaceMasterKey(w.ctx, master)
	w.must(err)
	copied := w.realmNamed("copy")
	w.bulk("POST", "", copied, strings.NewReader(strings.Join(lines, "")))
	w.hasKeys("a copy", copied, keys, true)
	w.hasKeys("the realm itself", w.realm.ID, keys, true)
}

// flipped returns a sealed text with one character in its middle changed.
func flipped(sealed string) string {
	at := len(sealed) - 20
	other := "A"
	if sealed[at] == 'A' {
		other = "B"
	}
	return sealed[:at] + other + sealed[at+1:]
}

// digestOf returns the digest of a user's API key in a line.
func digestOf(t *testing.T, line string, key int) string {
	t.Helper()
	var user wire.UserLine
	if err := json.Unmarshal([]byte(line), &user); err != nil {
		t.Fatal(err)
	}
	return user.APIKeys[key].Digest
}
