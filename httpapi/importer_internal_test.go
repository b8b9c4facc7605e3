package httpapi

import (
	"errors"
	"testing"

	"github.com/postern-auth/postern/core"
)

// FuzzParseLine reads lines of imports: each is of one kind, or is refused with a sentence and nothing else.
func FuzzParseLine(f *testing.F) {
	for _, line := range []string{
		`{"username":"kim","password":{"hash":"x","own":true},"memberships":[{"id":"mb_1"}],"api_keys":[{"id":"crd_1","sealed":"x","allowed_addresses":["::/0"]}]}`,
		`{"authenticators":[{"id":"crd_1","last_step":1}],"recovery_codes":{"id":"crd_1","sealed":"x"}}`,
		`{"username":"kim","memberships":[{"org_source":"acme"}]}`, `{"object":"org","source":"acme","name":"x"}`,
		`{"object":"org","id":"org_1","name":"x"}`, `{"object":"realm","realm":{"apt_skew":1},"auth_providers":[{"provider_type":"totp","state":"active"}]}`,
		`{"object":"realm"}`, `{"object":"realm","realm":null,"auth_providers":null}`, `{"recovery_codes":[]}`, `{"password":7}`, `{}`, ``, `[]`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		line := parseLine(importLine{number: 1, text: text})
		kinds := 0
		for _, there := range []bool{line.realm != nil, line.org != nil, line.user != nil} {
			if there {
				kinds++
			}
		}
		if line.err == nil && kinds != 1 || line.err != nil && kinds != 0 {
			t.Errorf("parseLine(%q) is of %d kinds, with error %v", text, kinds, line.err)
		}
		if e, ok := errors.AsType[*core.Error](line.err); line.err != nil && (!ok || e.Kind != core.KindInvalid && e.Kind != core.KindMalformed) {
			t.Errorf("parseLine(%q) fails with %v", text, line.err)
		}
		if line.realm != nil {
			line.realm.Settings(&core.RealmSettings{}) // which must take whatever was accepted
		}
	})
}
