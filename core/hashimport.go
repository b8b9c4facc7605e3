package core

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// importedHash is a password hash that another system made. It is compared with what was typed, byte for byte, as that
// system did, and replaced by one of our own at the first sign-in that proves the whole password.
type importedHash interface {
	// matches computes the hash of password and compares in constant time.
	matches(password []byte) bool
}

// maxImportedHash bounds the text of a hash, in bytes.
const maxImportedHash = 1024

// errImportedHash says that a hash is of no kind that is known, or asks for more than we would compute.
var errImportedHash = invalid("password_hash", "Password hash is of no known kind, or costs more than is allowed")

// importFormats are the kinds of hashes, by what their text begins with. What a hash costs is bounded here, before
// anything is computed, so that one check takes about a second at most (docs/passwords.md).
var importFormats = []struct {
	prefix string
	parse  func(f *hashText) importedHash
}{
	{"$argon2id$", parseArgon2},
	{"$argon2i$", parseArgon2},
	{"$argon2d$", parseArgon2},
	{"$2a$", parseBcrypt},
	{"$2b$", parseBcrypt},
	{"$2y$", parseBcrypt},
	{"$wp$", parseWordPress},
	{"$scrypt$", parseScrypt},
	{"$firescrypt$", parseFirebase},
	{"$fbscrypt$", parseSupabaseFirebase},
	{"$pbkdf2", parsePBKDF2},
	{"pbkdf2_", parseDjango},
	{"$5$", parseSHACrypt},
	{"$6$", parseSHACrypt},
	{"$1$", parseMD5Crypt},
	{"$P$", parsePHPass},
	{"$H$", parsePHPass},
	{"{SHA", parseLDAP},
	{"{SSHA", parseLDAP},
}

// parseImportedHash reads a hash of another system, or returns errImportedHash.
func parseImportedHash(text string) (importedHash, error) {
	if len(text) > maxImportedHash {
		return nil, errImportedHash
	}
	for _, format := range importFormats {
		if !strings.HasPrefix(text, format.prefix) {
			continue
		}
		f := &hashText{text: text, parts: strings.Split(text, "$")}
		if hash := format.parse(f); !f.bad && hash != nil {
			return hash, nil
		}
		return nil, errImportedHash
	}
	return nil, errImportedHash
}

// IsKnownHash reports whether an import takes a hash of another system: it is of a kind that is known (docs/passwords.md), and
// costs no more than is allowed.
func IsKnownHash(text string) bool {
	_, err := parseImportedHash(text)
	return err == nil
}

// hashText is the text of a hash while it is read. What cannot be read makes it bad.
type hashText struct {
	text  string
	parts []string // between the dollar signs
	bad   bool
}

// require makes the text bad unless ok.
func (f *hashText) require(ok bool) { f.bad = f.bad || !ok }

// part returns part number i, "" where there is none.
func (f *hashText) part(i int) string {
	if i >= len(f.parts) {
		f.bad = true
		return ""
	}
	return f.parts[i]
}

// number reads a decimal number without leading zeros from least to most.
func (f *hashText) number(s string, least, most int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most || strconv.Itoa(n) != s {
		f.bad = true
		return least
	}
	return n
}

// parameters reads "m=256,t=3,p=1", which must have these names in this order. A name that ends in "?" may be missing.
func (f *hashText) parameters(s string, names ...string) []string {
	values := make([]string, len(names))
	rest := strings.Split(s, ",")
	for i, name := range names {
		name, optional := strings.CutSuffix(name, "?")
		if len(rest) > 0 {
			if value, ok := strings.CutPrefix(rest[0], name+"="); ok {
				values[i], rest = value, rest[1:]
				continue
			}
		}
		f.require(optional)
	}
	f.require(len(rest) == 0)
	return values
}

// bytes reads base64, of the alphabet of RFC 4648 §4 or with "." for "+" as passlib writes it, padded or not, of least
// to most bytes.
func (f *hashText) bytes(s string, least, most int) []byte {
	s = strings.ReplaceAll(strings.TrimRight(s, "="), ".", "+")
	b, err := base64.RawStdEncoding.DecodeString(s)
	f.require(err == nil && len(b) >= least && len(b) <= most && !strings.ContainsAny(s, "\r\n"))
	return b
}

// letters and digits of ASCII, for only.
const lettersAndDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// only reports whether s has least to most characters, all of them in alphabet.
func only(s, alphabet string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, alphabet) == ""
}

// cryptAlphabet is that of crypt(3), in the order of its digits.
const cryptAlphabet = "./" + lettersAndDigits
