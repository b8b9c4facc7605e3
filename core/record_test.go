package core

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestLeanRecords holds that what records leave out comes back, and that records which say all, as they did once, read
// the same.
func TestLeanRecords(t *testing.T) {
	const id, realm = UserID("usr_0N8Z0xorO4WofXGZ5SJqeQ"), RealmID("rl_0N8Z0xorcb8cCUIVkZmHm2")
	own := CredentialRef{ID: passwordID(id), Type: CredentialPassword}
	made := Instant{time.UnixMilli(1795763705451).UTC()}
	for _, test := range []struct {
		is    entity
		empty func() entity
		old   string // as it was written before anything was left out
		lean  string
	}{
		{&User{ID: id, Realm: realm, Type: UserHuman, State: StateActive, Username: "ann", EmailVerification: EmailNone, CreatedAt: made, Credentials: []CredentialRef{own}},
			func() entity { return &User{} },
			`{"id":"ID","realm":"RL","type":"human","state":"active","username":"ann","email_verification":"none","credentials":[{"id":"CRD","type":"password"}],"created":1795763705451,"gen":0}`,
			`{"id":"ID","realm":"RL","username":"ann","credentials":[{"type":"password"}],"created":1795763705451}`},
		{&User{ID: id, Realm: realm, Type: UserAPI, State: StateInactive, Username: "bot", EmailVerification: EmailVerified, CreatedAt: made, Generation: 2,
			Credentials: []CredentialRef{{ID: "crd_0000000000000000000000", Type: CredentialAPIKey}}},
			func() entity { return &User{} },
			`{"id":"ID","realm":"RL","type":"api","state":"inactive","username":"bot","email_verification":"verified","credentials":[{"id":"crd_0000000000000000000000","type":"api_key"}],"created":1795763705451,"gen":2}`,
			`{"id":"ID","realm":"RL","type":"api","state":"inactive","username":"bot","email_verification":"verified","credentials":[{"id":"crd_0000000000000000000000","type":"api_key"}],"created":1795763705451,"gen":2}`},
		{&password{ID: own.ID, Realm: realm, User: id, Hash: "x", CreatedAt: made}, func() entity { return &password{} },
			`{"id":"CRD","realm":"RL","user":"ID","hash":"x","created":1795763705451}`,
			`{"realm":"RL","user":"ID","hash":"x","created":1795763705451}`},
	} {
		names := strings.NewReplacer("ID", string(id), "RL", string(realm), "CRD", string(own.ID))
		whole, err := json.Marshal(test.is)
		if err != nil {
			t.Fatal(err)
		}
		value, err := encodeEntity(test.is)
		if err != nil || string(value) != names.Replace(test.lean) {
			t.Errorf("encodeEntity(%s) = %s, %v; want %s", whole, value, err, names.Replace(test.lean))
		}
		for _, text := range []string{names.Replace(test.old), names.Replace(test.lean)} {
			read := test.empty()
			key := test.is.key(Partition{Realm: realm})
			if found, err := decode(key, Record{Value: []byte(text), Schema: schema, Version: 1}, read); err != nil || !found || !reflect.DeepEqual(read, test.is) {
				t.Errorf("decode(%s) = %+v, %v; want %+v", text, read, err, test.is)
			}
		}
		if again, err := json.Marshal(test.is); err != nil || string(again) != string(whole) {
			t.Errorf("encodeEntity changed %s to %s", whole, again)
		}
	}
}
