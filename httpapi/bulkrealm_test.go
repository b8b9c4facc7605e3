package httpapi_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// ownOfRealm are the attributes of a realm that an import of its settings leaves as they are.
var ownOfRealm = map[string]bool{"id": true, "name": true, "environment_guid": true, "issuer": true, "created_at": true, "jwt_key": true, "jwt_secret": true,
	"object": true, "resetting": true}

// TestBulkRoundTripOfSettings sets all that can be set of a realm, and takes it to another. A setting that is added to realms and forgotten here
// is noticed, since it is the same in both before.
func TestBulkRoundTripOfSettings(t *testing.T) {
	each(t, func(w *world) {
		from, to := w.realmNamed("from"), w.realmNamed("to")
		w.want(w.inRealm(string(from), "PUT /v1/realms/"+string(from), `{"realm":{"state":"inactive","reference":"r-1","custom":{"plan":"<gold>"},"resource_links":[{"a":"b"}],
			"jwt_algo":"ES256","jwt_fields":["custom","orgs"],"username_validation_human":"email","require_unique_emails":false,"api_key_prefix":"zz_","api_key_policy":"encrypt","api_key_minutes":66,
			"session_type":"unmanaged","session_minutes":77,"token_lifetime":701,"apt_token_lifetime":702,"session_idle":703,"session_absolute":704,"apt_lifetime":7,"apt_skew":8,
			"apt_require_jti":true,"apt_require_arbitrary_id":true,"apt_encryption":"accept","key_rotation":864000,"password_min_length":9,
			"event_retention":864001,"email_token_lifetime":705,"password_token_lifetime":706}}`), 200, `"ES256"`)
		w.want(w.inRealm(string(from), "POST /v1/auth_providers", `{"auth_provider":{"provider_type":"totp","state":"inactive"}}`), 201, "")
		providers := w.inRealm(string(from), "GET /v1/auth_providers", "")
		w.want(w.inRealm(string(from), "PUT /v1/auth_providers/"+passwordProvider(t, providers), `{"auth_provider":{"required_chars":["digit","upper"],"min_complexity":2}}`), 200, "upper")

		settings, before := w.settingsOf(from), w.settingsOf(to)
		for name, value := range settings {
			if !ownOfRealm[name] && reflect.DeepEqual(before[name], value) {
				t.Errorf("%s is %v in both realms before: set it in this test", name, value)
			}
		}
		_, exported := w.bulk("GET", "?settings=true", from, nil)
		if len(exported) != 1 || strings.Contains(exported[0], "jwt_key") {
			t.Fatalf("export of settings = %q; want one line without a key", exported)
		}
		for _, tt := range []struct{ query, status string }{{"?dry_run=true", "updated"}, {"", "updated"}, {"", "exists"}, {"?dry_run=true", "exists"}} {
			_, said := w.bulk("POST", tt.query, to, strings.NewReader(exported[0]))
			if !strings.Contains(said[0], `"status":"`+tt.status+`","id":"`+string(to)) {
				t.Errorf("import%s says %s; want %s", tt.query, said[0], tt.status)
			}
			if tt.query != "" && tt.status == "updated" && !reflect.DeepEqual(w.settingsOf(to), before) {
				t.Error("a dry import changes settings")
			}
		}
		for name, value := range w.settingsOf(to) {
			if want := settings[name]; !ownOfRealm[name] && !reflect.DeepEqual(value, want) {
				t.Errorf("%s is %v after the import; want %v", name, value, want)
			}
		}
		if got, want := w.kindsOf(to), w.kindsOf(from); !reflect.DeepEqual(got, want) {
			t.Errorf("auth providers are %v after the import; want %v", got, want)
		}
	})
}

// TestImportOfSettingsSaysWhatIsWrong goes through settings that no realm takes.
func TestImportOfSettingsSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	before := w.settingsOf(w.realm.ID)
	for _, tt := range []struct{ line, says string }{
		{`{"object":"realm","realm":[]}`, "Realm must be an object"},
		{`{"object":"realm","realm":{"apt_skew":1000}}`, "APT skew must be from 0 to 300 seconds"},
		{`{"object":"realm","realm":{"colour":"red"}}`, "Colour is not an attribute"},
		{`{"object":"realm","realm":{},"username":"kim"}`, "Username is not an attribute"},
		{`{"object":"realm","realm":{"require_unique_emails":false}}`, "only while the realm has no users"},
		{`{"object":"realm","realm":{},"auth_providers":[{"provider_type":"github","state":"active"}]}`, "Auth providers must be of password and totp"},
		{`{"object":"realm","realm":{},"auth_providers":[{"provider_type":"totp"}]}`, "Auth providers must be of password and totp"},
		{`{"object":"realm","realm":{},"auth_providers":[{"provider_type":"password","state":"active","required_chars":["runes"]}]}`, "Required chars must be"},
		{`{"object":"realm","realm":{},"auth_providers":[{"provider_type":"password","state":"active","min_complexity":5}]}`, "Min complexity must be from 0 to 4"},
	} {
		for _, query := range []string{"", "?dry_run=true"} {
			_, lines := w.bulk("POST", query, w.realm.ID, strings.NewReader(tt.line))
			if !strings.Contains(lines[0], `"failed"`) || !strings.Contains(lines[0], tt.says) {
				t.Errorf("import%s %s says %s; want %q", query, tt.line, lines[0], tt.says)
			}
		}
	}
	if after := w.settingsOf(w.realm.ID); !reflect.DeepEqual(after, before) {
		t.Errorf("what failed changed the realm to %v; want %v", after, before)
	}
}

// realmNamed makes a realm that has what a realm has by itself.
func (w *world) realmNamed(name string) core.RealmID {
	w.Helper()
	realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: name}, core.Request{})
	w.must(err)
	return realm.ID
}

// settingsOf returns a realm as the API shows it.
func (w *world) settingsOf(realm core.RealmID) map[string]any {
	w.Helper()
	var settings map[string]any
	w.must(json.Unmarshal([]byte(w.want(w.inRealm(string(realm), "GET /v1/realms/"+string(realm), ""), 200, "").text), &settings))
	return settings
}

// listedProvider is what matters of an auth provider, wherever it is.
type listedProvider struct {
	ID       string `json:"id"`
	Type     string `json:"provider_type"`
	State    string
	Min      int      `json:"min_length"`
	Required []string `json:"required_chars"`
}

// kindsOf returns the auth providers of a realm without their ids.
func (w *world) kindsOf(realm core.RealmID) (list []listedProvider) {
	w.Helper()
	for _, p := range providersIn(w.T, w.inRealm(string(realm), "GET /v1/auth_providers", "")) {
		p.ID = ""
		list = append(list, p)
	}
	return list
}

// providersIn reads a list of auth providers.
func providersIn(t *testing.T, a *answer) []listedProvider {
	t.Helper()
	var list struct{ Collection []listedProvider }
	if err := json.Unmarshal([]byte(a.text), &list); err != nil {
		t.Fatal(err)
	}
	return list.Collection
}

// passwordProvider returns the id of the auth provider of passwords.
func passwordProvider(t *testing.T, a *answer) string {
	t.Helper()
	for _, p := range providersIn(t, a) {
		if p.Type == "password" {
			return p.ID
		}
	}
	t.Fatalf("%s has no password provider", a.text)
	return ""
}
