package jose

import (
	"encoding/base64"
	"errors"
	"fmt"
)

// MaxTokenLength is the longest token that is looked at, in bytes.
const MaxTokenLength = 8 << 10

// ErrMalformed says that a text is not a token that could be one of ours. The errors that wrap it say why in
// constant words, and hold nothing of the text.
var ErrMalformed = errors.New("malformed token")

// Token is a compact JWS (RFC 7515 §7.1) that has passed the gate. It is NOT verified.
type Token struct {
	signed    string // header and payload as they were signed
	signature []byte
	alg       Alg
	kid, typ  string
	claims    Claims
}

// Parse is the gate. It admits a token only in the one form that every reader understands alike: within
// MaxTokenLength, three parts in canonical unpadded base64url, a header of alg, kid and typ and no other members,
// claims in strict JSON. A refusal costs little, whatever is sent. Errors wrap ErrMalformed.
func Parse(compact string) (Token, error) {
	if len(compact) > MaxTokenLength {
		return Token{}, malformed("longer than 8 KiB")
	}
	first, second, ok := dots(compact)
	if !ok {
		return Token{}, malformed("not three parts in base64url")
	}
	buffer := make([]byte, base64.RawURLEncoding.DecodedLen(len(compact)))
	header, buffer, ok1 := decodePart(buffer, compact[:first])
	payload, buffer, ok2 := decodePart(buffer, compact[first+1:second])
	signature, _, ok3 := decodePart(buffer, compact[second+1:])
	if !ok1 || !ok2 || !ok3 || len(signature) == 0 {
		return Token{}, malformed("not three parts in base64url")
	}
	t := Token{signed: compact[:second], signature: signature}
	if err := t.readHeader(header); err != nil {
		return Token{}, err
	}
	if t.claims.members, ok = parseObject(payload); !ok {
		return Token{}, malformed("claims are not one strict JSON object")
	}
	return t, nil
}

// malformed returns an error that wraps ErrMalformed.
func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// dots returns where the two dots are, of a text that is otherwise of the base64url alphabet.
func dots(compact string) (first, second int, ok bool) {
	first, second = -1, -1
	for i := range len(compact) {
		switch c := compact[i]; {
		case c == '.' && first < 0:
			first = i
		case c == '.' && second < 0:
			second = i
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return 0, 0, false
		}
	}
	return first, second, second > 0
}

// strict refuses base64url whose last character carries bits that decode to nothing.
var strict = base64.RawURLEncoding.Strict()

// decodePart decodes part into the front of buffer, and returns what is left of it.
func decodePart(buffer []byte, part string) (decoded, rest []byte, ok bool) {
	n, err := strict.Decode(buffer, []byte(part))
	return buffer[:n:n], buffer[n:], err == nil
}

// Bounds of header members, in bytes.
const maxHeaderMember = 128

// readHeader takes alg, kid and typ from the header, and refuses any other member: crit and b64, which change what
// is signed, and jwk, jku, x5u and x5c, which would let a token bring its own key (RFC 8725 §3.10).
func (t *Token) readHeader(header []byte) error {
	members, ok := parseObject(header)
	if !ok {
		return malformed("header is not one strict JSON object")
	}
	for _, m := range members {
		value, ok := text(m.value)
		if !ok || value == "" || len(value) > maxHeaderMember || !isToken(value) {
			return malformed("a header member is not a plain text")
		}
		switch string(m.name) {
		case "alg":
			t.alg = Alg(value)
		case "kid":
			t.kid = value
		case "typ":
			t.typ = value
		default:
			return malformed("the header has a member that is not alg, kid or typ")
		}
	}
	if !t.alg.Asymmetric() && t.alg != HS256 {
		return malformed("alg is not one of ours")
	}
	return nil
}

// isToken reports whether s is made of characters that need no escape anywhere.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Alg returns the algorithm that the token says it is signed with.
func (t Token) Alg() Alg { return t.alg }

// KeyID returns the kid, or "".
func (t Token) KeyID() string { return t.kid }

// Type returns the typ, or "".
func (t Token) Type() string { return t.typ }

// Unverified returns the claims as anybody may have written them. They are for finding which keys to try, and
// nothing else.
func (t Token) Unverified() Claims { return t.claims }
