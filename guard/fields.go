package guard

import (
	"unicode"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
)

// field is something that is known about a user and may be told to the application.
type field uint8

const (
	fieldID field = iota
	fieldUsername
	fieldEmail
	fieldName
	fieldArbitraryID
	fieldUserType
	fieldRealm
	fieldSession
	fieldCount
)

// fieldNames are the fields as configurations name them.
var fieldNames = [fieldCount]string{
	fieldID: "id", fieldUsername: "username", fieldEmail: "email", fieldName: "name",
	fieldArbitraryID: "arbitrary_id", fieldUserType: "user_type", fieldRealm: "realm", fieldSession: "session",
}

// of returns what f is for who; "" = nothing.
func (f field) of(who *core.Identity) string {
	switch f {
	case fieldID:
		return string(who.User)
	case fieldUsername:
		return who.Username
	case fieldEmail:
		return who.Email
	case fieldName:
		return who.Name
	case fieldArbitraryID:
		return who.ArbitraryID
	case fieldUserType:
		return string(who.Type)
	case fieldRealm:
		return string(who.Realm)
	case fieldSession:
		return string(who.Session)
	}
	return ""
}

// fieldSet is a set of fields, a bit for each.
type fieldSet uint8

func (s fieldSet) has(f field) bool { return s&(1<<f) != 0 }

// sendableFields returns the fields of who that are there and that a header can carry.
func sendableFields(who *core.Identity) (set fieldSet) {
	for f := range fieldCount {
		if sendable(f.of(who)) {
			set |= 1 << f
		}
	}
	return set
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
