package jose

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Bounds of a JWK set that another published.
const (
	maxJWKS     = 256 << 10 // bytes
	maxJWKSKeys = 64
)

// JWK returns an asymmetric key as a JWK (RFC 7517 §4) of its kind's members with alg, kid, and use "sig". Of a
// secret, which is not to be published, it returns an error that wraps ErrKey.
func (k *PublicKey) JWK() ([]byte, error) {
	if !k.alg.Foreign() {
		return nil, fmt.Errorf("%w: a secret is not to be published", ErrKey)
	}
	return marshalJWK(k.key, k.id, string(k.alg), "sig")
}

// marshalJWK returns a public key as a JWK.
func marshalJWK(key any, id, alg, use string) ([]byte, error) {
	j, err := jwk.FromRaw(key)
	if err != nil {
		return nil, fmt.Errorf("jose: JWK: %w", err)
	}
	for name, value := range map[string]string{jwk.KeyIDKey: id, jwk.AlgorithmKey: alg, jwk.KeyUsageKey: use} {
		if err := j.Set(name, value); err != nil {
			return nil, fmt.Errorf("jose: JWK: %w", err)
		}
	}
	return json.Marshal(j)
}

// Published is a key that others may have: a PublicKey or an EncryptionKey.
type Published interface {
	// JWK returns the key in that form, or an error that wraps ErrKey where it is a secret.
	JWK() ([]byte, error)
}

// JWKS returns keys as a JWK set (RFC 7517 §5). A secret among them is an error that wraps ErrKey, and then nothing
// is returned.
func JWKS(keys ...Published) ([]byte, error) {
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	for _, k := range keys {
		text, err := k.JWK()
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, text)
	}
	return json.Marshal(set)
}

// ParseJWKS reads the keys of a JWK set that can verify signatures here. It reads key by key and skips what it
// cannot use, as RFC 7517 §5 asks: other kinds, algorithms that are not Foreign, other uses, broken keys, private keys, secrets. A key
// without alg gets the usual one of its kind, one without kid its thumbprint; a member that is null is none. A set of more than 256 KiB or 64 keys,
// or that is not one strict JSON object with an array of keys, is an error that wraps ErrKey.
func ParseJWKS(text []byte) ([]*PublicKey, error) {
	if len(text) > maxJWKS {
		return nil, fmt.Errorf("%w set: longer than 256 KiB", ErrKey)
	}
	members, ok := parseObject(text)
	if !ok {
		return nil, fmt.Errorf("%w set: not one strict JSON object", ErrKey)
	}
	list, _ := Claims{members}.raw("keys")
	elements, ok := parseArray(list)
	if !ok {
		return nil, fmt.Errorf("%w set: it has no array of keys", ErrKey)
	}
	if len(elements) > maxJWKSKeys {
		return nil, fmt.Errorf("%w set: more than 64 keys", ErrKey)
	}
	keys := []*PublicKey{}
	for _, e := range elements {
		if k, ok := parseJWK(e.value); ok {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// parseJWK reads a public key that verifies, if that is what text is.
func parseJWK(text []byte) (*PublicKey, bool) {
	members, ok := parseObject(text)
	said := withoutNulls(members)
	if !ok || !mayVerify(Claims{said}) {
		return nil, false
	}
	if len(said) < len(members) {
		text = objectOf(said)
	}
	published, err := readJWK(text)
	if err != nil {
		return nil, false
	}
	k, err := newForeignKey(Alg(published.alg), published.key)
	if err != nil || !k.alg.Foreign() {
		return nil, false
	}
	k.id, k.open = cmp.Or(published.id, k.id), published.alg == ""
	return k, true
}

// withoutNulls returns members but for those that are null: so many a program writes what it does not say.
func withoutNulls(members []member) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool { return string(m.value) == "null" })
}

// objectOf returns the JSON object that has members.
func objectOf(members []member) []byte {
	object := make(map[string]json.RawMessage, len(members))
	for _, m := range members {
		object[string(m.name)] = m.value
	}
	text, _ := json.Marshal(object) // of values that were read from JSON
	return text
}

// published is what a JWK says, whatever its kind.
type published struct {
	id, alg string // "" where it does not say
	key     any
}

// readJWK reads one JWK with jwx. Errors wrap ErrKey.
func readJWK(text []byte) (published, error) {
	j, err := jwk.ParseKey(text)
	if err != nil {
		return published{}, fmt.Errorf("%w: it is not a JWK", ErrKey)
	}
	p := published{id: j.KeyID(), alg: j.Algorithm().String()}
	if err := j.Raw(&p.key); err != nil {
		return published{}, fmt.Errorf("%w: it is not a JWK", ErrKey)
	}
	if p.id != "" && !isPlain(p.id) {
		return published{}, fmt.Errorf("%w: its kid is not a plain string", ErrKey)
	}
	return p, nil
}

// mayVerify reports whether a JWK is public and its members leave it the use of verifying (RFC 7517 §4.2, §4.3).
func mayVerify(j Claims) bool {
	if _, private := j.raw("d"); private {
		return false
	}
	if _, ok := j.raw("use"); ok {
		if use, _ := j.String("use"); use != "sig" {
			return false
		}
	}
	if _, ok := j.raw("key_ops"); ok {
		operations, _ := j.Strings("key_ops")
		return slices.Contains(operations, "verify")
	}
	return true
}
