package jose

import (
	"slices"
	"strings"
)

// refusedMembers are what the header of a foreign token must not have: crit and b64 change what is signed, jwk, jku, x5u and x5c let
// a token bring its own key (RFC 8725 §3.10), and the others belong to tokens within tokens.
var refusedMembers = []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip", "cty", "epk"}

// ParseForeign is the gate for tokens that others than Postern issue. It is as strict as Parse about everything but the header,
// where others say more than we do, x5t for one: what is not known there is passed over (RFC 7515 §4), unless it would change how
// the token is read or which key verifies it. Only asymmetric algorithms pass, more than those that are ours. Errors wrap ErrMalformed.
func ParseForeign(compact string) (Token, error) {
	t, parts, err := split(compact)
	if err != nil {
		return Token{}, err
	}
	if err := t.readForeignHeader(parts[0]); err != nil {
		return Token{}, err
	}
	if err := t.readClaims(parts[1]); err != nil {
		return Token{}, err
	}
	return t, nil
}

// readForeignHeader takes alg, kid and typ from the header of a foreign token.
func (t *Token) readForeignHeader(header []byte) error {
	members, ok := parseObject(header)
	if !ok {
		return malformed("header is not one strict JSON object")
	}
	for _, m := range members {
		if slices.Contains(refusedMembers, string(m.name)) {
			return malformed("the header has a member that would change how the token is verified")
		}
		if _, err := t.readMember(m); err != nil {
			return err
		}
	}
	if !t.alg.Foreign() {
		return malformed("alg is not an asymmetric one that is known")
	}
	return nil
}

// IsPlainJWT reports whether a token's typ leaves it what it mostly is: a JWT of no special kind, or an access token (RFC 7519
// §5.1, RFC 9068 §2.1). A logout token or a security event, signed by the same issuer, is neither (RFC 8725 §3.11).
func (t Token) IsPlainJWT() bool {
	switch strings.TrimPrefix(strings.ToLower(t.typ), "application/") {
	case "", "jwt", "at+jwt":
		return true
	}
	return false
}

// KeySet are the keys that somebody else publishes to have tokens verified with. Immutable, and safe for concurrent use.
type KeySet struct{ keys []*PublicKey }

// ParseKeySet reads a JWK set as ParseJWKS does. A set without a key that can be used is an error too. Errors wrap ErrKey.
func ParseKeySet(text []byte) (*KeySet, error) {
	keys, err := ParseJWKS(text)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errNoneUsable
	}
	return &KeySet{keys}, nil
}

// Len returns how many keys there are.
func (s *KeySet) Len() int { return len(s.keys) }

// Has reports whether a key with this kid is there.
func (s *KeySet) Has(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k *PublicKey) bool { return k.id == kid })
}

// maxTries bounds how many keys of one kid a token is tried with. Who sends forged ones has each of them tried.
const maxTries = 4

// Fitting returns the keys that a token may be signed with: those of its kid and its algorithm, of which an issuer may publish several under one
// kid, and where it has no kid, the one key of its algorithm. It returns none where the token has no kid and several fit, and at most four.
func (s *KeySet) Fitting(t Token) []*PublicKey {
	var found []*PublicKey
	for _, k := range s.keys {
		if t.kid != "" && t.kid != k.id || !k.can(t.alg) {
			continue
		}
		if t.kid == "" && found != nil {
			if found[0].print == k.print { // published twice, for two algorithms or under two names of one
				continue
			}
			return nil
		}
		if found = append(found, &PublicKey{id: k.id, print: k.print, alg: t.alg, key: k.key}); len(found) == maxTries {
			break
		}
	}
	return found
}

// For is Fitting where exactly one key fits. It reports false where there is none, and where there are several, for issuers that never publish two
// keys under one kid.
func (s *KeySet) For(t Token) (*PublicKey, bool) {
	if found := s.Fitting(t); len(found) == 1 {
		return found[0], true
	}
	return nil, false
}

// can reports whether k may verify tokens of an algorithm.
func (k *PublicKey) can(alg Alg) bool {
	return k.alg.Is(alg) || k.open && alg.Foreign() && fits(alg, k.key) == nil
}

// Fingerprints names the keys in a way that no two share: what somebody publishes as kid may be used again.
func (s *KeySet) Fingerprints() []string {
	all := make([]string, 0, len(s.keys))
	for _, k := range s.keys {
		all = append(all, k.Fingerprint())
	}
	return all
}

// Fingerprint names a key by its kid and by what it is, so that no two keys share one.
func (k *PublicKey) Fingerprint() string { return k.id + " " + k.print }
