package guard

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
)

// field is something that is known about a user and may be told to the application.
type field func(who *core.Identity) string // "" = nothing

// fields are those that have a name of their own.
var fields = map[string]field{
	"id":              func(who *core.Identity) string { return string(who.User) },
	"username":        func(who *core.Identity) string { return who.Username },
	"email":           func(who *core.Identity) string { return who.Email },
	"email_verified":  func(who *core.Identity) string { return strconv.FormatBool(who.EmailVerified) },
	"name":            func(who *core.Identity) string { return who.Name },
	"first_name":      func(who *core.Identity) string { return who.FirstName },
	"last_name":       func(who *core.Identity) string { return who.LastName },
	"arbitrary_id":    func(who *core.Identity) string { return who.ArbitraryID },
	"reference":       func(who *core.Identity) string { return who.Reference },
	"user_type":       func(who *core.Identity) string { return string(who.Type) },
	"realm":           func(who *core.Identity) string { return string(who.Realm) },
	"session":         func(who *core.Identity) string { return string(who.Session) },
	"credential":      func(who *core.Identity) string { return string(who.Credential) },
	"signed_in_at":    signedInAt,
	"mfa":             func(who *core.Identity) string { return strconv.FormatBool(who.MFA) },
	"permissions":     permissions,
	"orgs":            orgs,
	"org_permissions": orgPermissions,
}

// customPrefix begins the names of fields that are custom attributes.
const customPrefix = "custom."

// FieldOf returns what a field, named as in Settings.CopyHeaders, says of who. It reports false where there is no such field.
func FieldOf(name string, who *core.Identity) (string, bool) {
	f, err := newField(name)
	if err != nil {
		return "", false
	}
	return f(who), true
}

// FieldNames returns the names of all fields but those that are custom attributes, sorted.
func FieldNames() []string { return slices.Sorted(maps.Keys(fields)) }

// newField returns the field that a configuration names.
func newField(name string) (field, error) {
	if attribute, ok := strings.CutPrefix(name, customPrefix); ok && isToken(attribute) {
		return func(who *core.Identity) string { return custom(who, attribute) }, nil
	}
	if f, ok := fields[name]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("there is no field %q; there are %s and custom.<name>", name, strings.Join(FieldNames(), ", "))
}

// signedInAt returns when who signed in, in seconds (RFC 3339).
func signedInAt(who *core.Identity) string {
	if who.SignedInAt.IsZero() {
		return ""
	}
	return who.SignedInAt.UTC().Format(time.RFC3339)
}

// permissions returns what who may do in some org, sorted, with commas between. One that holds a comma is left out.
func permissions(who *core.Identity) string {
	var all []string
	for _, o := range who.Orgs {
		all = append(all, who.Permitted(o.Permissions)...)
	}
	return listed(all)
}

// orgPermissions returns what who may do in which org, as org:permission, sorted, with commas between. An id of an org has no colon.
func orgPermissions(who *core.Identity) string {
	var all []string
	for _, o := range who.Orgs {
		if o.Org == "" {
			continue // what an issuer elsewhere permits
		}
		for _, p := range who.Permitted(o.Permissions) {
			all = append(all, string(o.Org)+":"+p)
		}
	}
	return listed(all)
}

// orgs returns the orgs that who belongs to, sorted, with commas between.
func orgs(who *core.Identity) string {
	all := make([]string, 0, len(who.Orgs))
	for _, o := range who.Orgs {
		all = append(all, string(o.Org))
	}
	return listed(all)
}

// listed returns texts as one that can be taken apart again. Those that would make it lie are left out.
func listed(all []string) string {
	all = slices.DeleteFunc(all, func(text string) bool { return !sendable(text) || strings.Contains(text, ",") })
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}

// custom returns a custom attribute that is a text, a number or a truth value.
func custom(who *core.Identity, name string) string {
	raw := who.Custom[name]
	var value any
	if len(raw) == 0 || json.Unmarshal(raw, &value) != nil {
		return ""
	}
	switch v := value.(type) {
	case string:
		return v
	case bool, float64:
		return string(raw)
	}
	return ""
}

// sendable reports whether a header carries text unharmed to whoever reads it: RFC 9110 §5.5 allows no control
// characters, and white space at the ends does not survive.
func sendable(text string) bool {
	if text == "" || !utf8.ValidString(text) {
		return false
	}
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	if unicode.IsSpace(first) || unicode.IsSpace(last) {
		return false
	}
	for _, c := range text {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return false
		}
	}
	return true
}
