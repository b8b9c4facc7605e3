package jose

import (
	"bytes"
	"encoding/base64"
)

// strict is unpadded base64url (RFC 7515 §2) that refuses a last character whose spare bits are not zero. It would
// pass over line ends, which decodeParts does not let through.
var strict = base64.RawURLEncoding.Strict()

// decodeParts decodes a text of exactly n parts with dots between them. It looks at each byte before it makes
// anything, and stops at the first one that cannot be, so that a million dots cost what n dots cost. What it accepts
// encodes to the same text again.
func decodeParts(text []byte, n int) (parts [][]byte, ok bool) {
	dots := 0
	for _, c := range text {
		switch {
		case c == '.':
			if dots++; dots == n {
				return nil, false
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return nil, false
		}
	}
	if dots != n-1 {
		return nil, false
	}
	decoded := make([]byte, 0, strict.DecodedLen(len(text)))
	parts = make([][]byte, 0, n)
	for part := range bytes.SplitSeq(text, []byte(".")) {
		from := len(decoded)
		var err error
		if decoded, err = strict.AppendDecode(decoded, part); err != nil {
			return nil, false
		}
		parts = append(parts, decoded[from:len(decoded):len(decoded)])
	}
	return parts, true
}
