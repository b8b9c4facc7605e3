package core

import (
	"strings"
	"testing"
)

// TestKeptAPIKeys holds what is kept of an API key: nothing that the store could read, and nothing at all once the realm
// has taken that back and the key is written again.
func TestKeptAPIKeys(t *testing.T) {
	realm := &Realm{KeyEra: 3, Settings: RealmSettings{APIKeyPolicy: APIKeyEncrypt}}
	for _, tt := range []struct {
		name  string
		key   *APIKey
		shown bool
	}{
		{"of now", &APIKey{Sealed: "x", Era: 3}, true},
		{"of before the realm kept none", &APIKey{Sealed: "x", Era: 1}, false},
		{"that is not kept", &APIKey{}, false},
		{"that is none", nil, false},
	} {
		if got := realm.shows(tt.key); got != tt.shown {
			t.Errorf("shows a key %s = %v; want %v", tt.name, got, tt.shown)
		}
	}
	kept, old := APIKey{Sealed: "x", Era: 3}, APIKey{Sealed: "x", Era: 1}
	kept.forget(realm)
	old.forget(realm)
	if kept.Sealed == "" || old.Sealed != "" || old.Era != 0 {
		t.Errorf("forget leaves %+v and %+v; want the first as it was, and nothing of the second", kept, old)
	}
	realm.Settings.APIKeyPolicy = APIKeyHash
	if kept.forget(realm); strings.Contains(kept.Sealed, "x") {
		t.Error("a realm of the policy hash keeps a key that is written again")
	}
}
