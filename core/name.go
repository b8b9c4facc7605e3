package core

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of names, in bytes after normalising.
const (
	maxUsernameLength = 255
	maxEmailLength    = 254 // RFC 5321 §4.5.3.1.3
)

// normalise brings a username or an e-mail address to the one form that it is kept, compared and found
// by: NFKC, case folded, NFKC again. It reports false for what is not UTF-8 or holds a character that
// cannot be seen or is assigned to nothing. It is idempotent.
//
// Keys are made of its result: to change it is to re-key every user.
func normalise(s string) (string, bool) {
	if isVisibleASCII(s) {
		return strings.ToLower(s), true // what it comes to, at a tenth of the cost
	}
	return normaliseAny(s)
}

// normaliseAny is normalise for a text of whatever characters.
func normaliseAny(s string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	folded := fold(s)
	for _, r := range folded {
		if !isSeen(r) {
			return "", false
		}
	}
	return folded, true
}

// fold makes one of texts that differ in case, or in how Unicode writes the same characters.
func fold(s string) string {
	return norm.NFKC.String(strings.Map(foldCherokee, cases.Fold().String(norm.NFKC.String(s))))
}

// foldCherokee takes a letter of Cherokee to the capital that it is folded to (Unicode, CaseFolding.txt). cases takes each to the other
// case, and would so tell Ꭰ from ꭰ: there could be two of one name, and none would be found by what it was kept as.
func foldCherokee(r rune) rune {
	switch {
	case r >= '\uab70' && r <= '\uabbf':
		return r - '\uab70' + '\u13a0'
	case r >= '\u13f8' && r <= '\u13fd':
		return r - '\u13f8' + '\u13f0'
	}
	return r
}

// isSeen reports whether a character shows, or is a space.
func isSeen(r rune) bool { return unicode.IsGraphic(r) && !unicode.In(r, unseen...) }

// unseen are the characters that Unicode calls letters, marks or symbols and that look like nothing at all: those that are to be ignored
// where they have no glyph (Default_Ignorable_Code_Point, UAX #44), and the blank of braille. Somebody could be named like somebody
// else but for one of them.
var unseen = []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
	{R16: []unicode.Range16{{Lo: '\u2800', Hi: '\u2800', Stride: 1}}}}

// isVisibleASCII reports whether a text is of visible ASCII and spaces alone, as most names are.
func isVisibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// reservedNames would be taken for something else in the path of a request.
var reservedNames = map[string]bool{
	"me": true, "reauth": true, "authenticate": true, "authenticate_key": true, "authenticate_token": true,
	"verify_email": true, "reset_password_with_token": true,
	"-": true, "--": true, ".": true, "..": true,
}

// normaliseTyped is normalise for a name as somebody typed it: spaces around it are not meant.
func normaliseTyped(s string) (string, bool) { return normalise(strings.TrimSpace(s)) }

// normaliseUsername returns the form in which a username is kept, or a KindInvalid error. Words may stand apart by one plain
// space, which is what spaces of other kinds become.
func normaliseUsername(s string) (string, error) {
	name, ok := normaliseTyped(s)
	switch {
	case name == "" && ok:
		return "", invalid("username", "Username can't be blank")
	case !ok || !wordsApart(name) || strings.ContainsAny(name, `/\`):
		return "", invalid("username", "Username contains characters that are not allowed")
	case len(name) > maxUsernameLength:
		return "", invalid("username", "Username is too long (maximum is 255 bytes)")
	case reservedNames[name] || strings.HasPrefix(name, prefixUser):
		return "", invalid("username", "Username is reserved")
	}
	return name, nil
}

// wordsApart reports whether the only space in a name is U+0020 between two words, one at a time. A mark after a space has no
// letter to stand on: it is what NFKC makes of a diacritic that stood alone.
func wordsApart(name string) bool {
	spaced := true
	for _, r := range name {
		space := r == ' '
		if space && spaced || !space && unicode.IsSpace(r) || spaced && unicode.IsMark(r) {
			return false
		}
		spaced = space
	}
	return !spaced
}

// normaliseEmail returns the form in which an e-mail address is kept, or a KindInvalid error. It asks
// for one @ with something on both sides and leaves the rest to the proof of a mail that arrives.
func normaliseEmail(s string) (string, error) {
	email, ok := normalise(strings.TrimSpace(s))
	local, domain, at := strings.Cut(email, "@")
	switch {
	case email == "" && ok:
		return "", invalid("email", "Email can't be blank")
	case !ok || !at || local == "" || domain == "" || strings.Contains(domain, "@"),
		strings.ContainsFunc(email, unicode.IsSpace), strings.ContainsAny(email, `<>()[],;:\/"`):
		return "", invalid("email", "Email is not a valid address")
	case len(email) > maxEmailLength:
		return "", invalid("email", "Email is too long (maximum is 254 bytes)")
	}
	return email, nil
}

// checkUsername refuses, with KindInvalid, a new username that is no e-mail address where the realm wants that of
// people (Users API, "username_validation_human"). What an APT makes up is not asked for.
func (u *User) checkUsername(realm *Realm, before string) error {
	if !realm.Settings.EmailUsernames || u.Type != UserHuman || u.Username == "" || u.Username == before {
		return nil
	}
	if _, err := normaliseEmail(u.Username); err != nil {
		return invalid("username", "Username must be an e-mail address")
	}
	return nil
}
