package jose

import (
	"bytes"
	"errors"
	"fmt"
)

// MaxTokenLength is the longest token that is looked at, in bytes.
const MaxTokenLength = 8 << 10

// maxHeaderMember bounds alg, kid and typ, in bytes.
const maxHeaderMember = 128

// ErrMalformed says that a text is not a token that could be one of ours. The errors that wrap it say why in
// constant words, and hold nothing of the text.
var ErrMalformed = errors.New("malformed token")

// malformed returns an error that wraps ErrMalformed.
func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// Token is a compact JWS (RFC 7515 §7.1) that has passed the gate. It is NOT verified. The zero Token verifies under
// no key. Safe for concurrent use.
type Token struct {
	signed    []byte // header and payload in base64url, as they were signed
	signature []byte
	alg       Alg
	kid, typ  string
	claims    Claims
}

// Parse is the gate. It admits a token only in the form that every reader understands alike: at most MaxTokenLength
// bytes, three parts in canonical unpadded base64url (RFC 7515 §2), a header of alg, kid and typ and nothing else,
// and for claims one strict JSON object: UTF-8, no name twice at any depth, at most 16 deep, nothing after it.
// A refusal costs little, whatever is sent. Errors wrap ErrMalformed.
func Parse(compact string) (Token, error) {
	t, parts, err := split(compact)
	if err != nil {
		return Token{}, err
	}
	if err := t.readHeader(parts[0]); err != nil {
		return Token{}, err
	}
	if err := t.readClaims(parts[1]); err != nil {
		return Token{}, err
	}
	return t, nil
}

// split takes a token apart into header, claims and signature, and keeps what was signed.
func split(compact string) (Token, [][]byte, error) {
	if len(compact) > MaxTokenLength {
		return Token{}, nil, malformed("longer than 8 KiB")
	}
	text := []byte(compact)
	parts, ok := decodeParts(text, 3)
	if !ok || len(parts[2]) == 0 {
		return Token{}, nil, malformed("not three parts in base64url")
	}
	return Token{signed: text[:bytes.LastIndexByte(text, '.')], signature: parts[2]}, parts, nil
}

// readClaims takes the claims.
func (t *Token) readClaims(text []byte) error {
	members, ok := parseObject(text)
	if !ok {
		return malformed("claims are not one strict JSON object")
	}
	t.claims.members = members
	return nil
}

// readHeader takes alg, kid and typ from the header, and refuses any other member: crit and b64, which change what
// is signed, and jwk, jku, x5u and x5c, which would let a token bring its own key (RFC 8725 §3.10).
func (t *Token) readHeader(header []byte) error {
	members, ok := parseObject(header)
	if !ok {
		return malformed("header is not one strict JSON object")
	}
	for _, m := range members {
		known, err := t.readMember(m)
		if err != nil {
			return err
		}
		if !known {
			return malformed("the header has a member that is not alg, kid or typ")
		}
	}
	if !t.alg.Asymmetric() && t.alg != HS256 {
		return malformed("alg is not one of ours")
	}
	return nil
}

// readMember takes a member of a header. It reports false for one that is not alg, kid or typ.
func (t *Token) readMember(m member) (known bool, err error) {
	name := string(m.name)
	if name != "alg" && name != "kid" && name != "typ" {
		return false, nil
	}
	value, ok := unquote(m.value)
	if !ok || !isPlain(string(value)) {
		return false, malformed("alg, kid or typ is not a plain string")
	}
	switch name {
	case "alg":
		t.alg = Alg(value)
	case "kid":
		t.kid = string(value)
	case "typ":
		t.typ = string(value)
	}
	return true, nil
}

// isPlain reports whether s has 1 to 128 characters that need no escape in JSON, a header field or a log.
func isPlain(s string) bool {
	if s == "" || len(s) > maxHeaderMember {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Alg returns the algorithm that the token says it is signed with.
func (t Token) Alg() Alg { return t.alg }

// KeyID returns the kid, of at most 128 printable ASCII characters, or "" where the token has none.
func (t Token) KeyID() string { return t.kid }

// Type returns the typ, of at most 128 printable ASCII characters, or "" where the token has none. It is for the
// caller to compare with the one kind that is expected (RFC 8725 §3.11).
func (t Token) Type() string { return t.typ }

// Unverified returns the claims as anybody may have written them. They are for finding which keys to try, and
// nothing else.
func (t Token) Unverified() Claims { return t.claims }
