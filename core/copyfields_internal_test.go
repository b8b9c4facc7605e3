package core

import (
	"reflect"
	"slices"
	"testing"
)

// TestCopiesHaveAllFields lists the fields of the records that an export takes apart by hand. Whoever adds one says here how it comes along, or
// why it does not; those of users, memberships and API keys are held by TestLossless of httpapi.
func TestCopiesHaveAllFields(t *testing.T) {
	for _, tt := range []struct {
		record any
		fields []string
	}{
		{password{}, []string{
			"ID", "Realm", "User", // follow from the user
			"Hash", "Imported", "CreatedAt", // PasswordCopy
		}},
		{Credential{}, []string{
			"ID", "Realm", "User", "Type", // copied
			"Provider",                        // found anew at each read
			"Name", "CreatedAt", "LastUsedAt", // of all that have them
			"APIKey", "TOTP", "Recovery",
		}},
		{APIKey{}, []string{
			"Digest", "ExpiresAt", "Permissions", "Addresses", // as they are
			"Sealed", "Era", // APIKeyCopy, of whose Sealed the importing realm makes its own
		}},
		{TOTP{}, []string{
			"Sealed", "Step", "Active", // AuthenticatorCopy, where New is the contrary of Active
		}},
		{RecoveryCodes{}, []string{
			"Hashes", "HashKey", // sealedCodes
		}},
		{memberships{}, []string{
			"Realm", "User", "List",
		}},
		{Org{}, []string{
			"ID", "Realm", "Name", "State", "Reference", "Custom", "CreatedAt", // OrgImport
		}},
	} {
		var got []string
		for f := range reflect.TypeOf(tt.record).Fields() {
			got = append(got, f.Name)
		}
		if !slices.Equal(got, tt.fields) {
			t.Errorf("%T has the fields %q; want %q: does an export have the new one, and an import take it?", tt.record, got, tt.fields)
		}
	}
}
