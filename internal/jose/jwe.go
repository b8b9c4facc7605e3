package jose

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
)

// MaxEncryptedLength is the longest encrypted token that is looked at, in bytes: one of MaxTokenLength with the
// header and encrypted key that go with it.
const MaxEncryptedLength = 16 << 10

// Lengths of the parts of a JWE with A256GCM, in bytes (RFC 7518 §5.3).
const (
	ivLength  = 12
	tagLength = 16
)

// Values of a header of ours.
const (
	contentEncryption = "A256GCM"
	contentType       = "JWT" // RFC 7519 §5.2

	// environmentHeader repeats a claim of the signed token in the header (RFC 7519 §5.3), where whoever is to decrypt can
	// read whose key it takes.
	environmentHeader = "environment_guid"
)

// ErrDecryption says that a key does not open an encrypted token, and no more.
var ErrDecryption = errors.New("token does not decrypt")

// Encrypt returns a signed token encrypted to k with A256GCM, as a compact JWE (RFC 7516 §7.1) whose header says alg,
// enc, kid, cty "JWT", and environment_guid unless that is "". What Parse refuses is not encrypted; then the error wraps ErrMalformed.
func Encrypt(token string, k *EncryptionKey, environment string) (string, error) {
	if _, err := Parse(token); err != nil {
		return "", fmt.Errorf("jose: encrypt: %w", err)
	}
	header := jwe.NewHeaders()
	members := map[string]string{jwe.ContentTypeKey: contentType, jwe.KeyIDKey: k.id}
	if environment != "" {
		members[environmentHeader] = environment
	}
	for name, value := range members {
		if err := header.Set(name, value); err != nil {
			return "", fmt.Errorf("jose: encrypt: %w", err)
		}
	}
	text, err := jwe.Encrypt([]byte(token), jwe.WithKey(jwa.KeyEncryptionAlgorithm(k.alg), k.key),
		jwe.WithContentEncryption(contentEncryption), jwe.WithProtectedHeaders(header))
	if err != nil {
		return "", fmt.Errorf("jose: encrypt: %w", err)
	}
	return string(text), nil
}

// Decrypt returns the signed token within an encrypted one: text that passes Parse, and is yet to be verified, since
// everybody can encrypt. It takes a compact JWE of at most MaxEncryptedLength in the one form that Encrypt makes:
// k's own algorithm with A256GCM, cty "JWT", no kid but k's, no compression, and nothing in the header beyond these,
// typ, environment_guid, and the epk that ECDH-ES needs. Errors wrap ErrMalformed or are ErrDecryption.
func Decrypt(compact string, k *DecryptionKey) (string, error) {
	if len(compact) > MaxEncryptedLength {
		return "", malformed("longer than 16 KiB")
	}
	parts, ok := decodeParts([]byte(compact), 5)
	if !ok || len(parts[2]) != ivLength || len(parts[4]) != tagLength || (len(parts[1]) == 0) != (k.Alg() == ECDHES) {
		return "", malformed("not the five parts of an encrypted token")
	}
	if err := k.checkHeader(parts[0]); err != nil {
		return "", err
	}
	token, err := jwe.Decrypt([]byte(compact), jwe.WithKey(jwa.KeyEncryptionAlgorithm(k.Alg()), k.key))
	if err != nil {
		return "", ErrDecryption
	}
	if _, err := Parse(string(token)); err != nil {
		return "", err
	}
	return string(token), nil
}

// EncryptedFor returns the environment_guid that the header of an encrypted token names, "" for none. It is not proven: whoever
// uses it must find the same within the token.
func EncryptedFor(compact string) string {
	header, _, _ := strings.Cut(compact, ".")
	if len(compact) > MaxEncryptedLength {
		return ""
	}
	parts, ok := decodeParts([]byte(header), 1)
	if !ok {
		return ""
	}
	members, ok := parseObject(parts[0])
	if !ok {
		return ""
	}
	environment, _ := Claims{members}.String(environmentHeader)
	return environment
}

// checkHeader refuses what Decrypt does not take, before jwx sees it.
func (k *DecryptionKey) checkHeader(header []byte) error {
	members, ok := parseObject(header)
	if !ok {
		return malformed("header is not one strict JSON object")
	}
	for _, m := range members {
		value, _ := unquote(m.value)
		switch string(m.name) {
		case "alg":
			ok = string(value) == string(k.Alg())
		case "enc":
			ok = string(value) == contentEncryption
		case "cty":
			ok = string(value) == contentType
		case "kid":
			ok = string(value) == k.ID()
		case "typ", environmentHeader:
			ok = isPlain(string(value))
		case "epk":
			ok = k.Alg() == ECDHES && isP256(m.value)
		default:
			ok = false
		}
		if !ok {
			return malformed("the header is not that of a token encrypted to this key")
		}
	}
	needed := []string{"alg", "enc", "cty"}
	if k.Alg() == ECDHES {
		needed = append(needed, "epk")
	}
	for _, name := range needed {
		if find(members, name) < 0 {
			return malformed("the header lacks what an encrypted token needs")
		}
	}
	return nil
}

// isP256 reports whether text is a JWK of a point on P-256 and nothing else. jwx would multiply any point.
func isP256(text []byte) bool {
	members, ok := parseObject(text)
	j := Claims{members}
	kty, _ := j.String("kty")
	crv, _ := j.String("crv")
	if !ok || len(members) != 4 || kty != "EC" || crv != "P-256" {
		return false
	}
	point := []byte{4} // uncompressed, SEC 1 §2.3.3
	for _, name := range [...]string{"x", "y"} {
		text, _ := j.String(name)
		coordinate, ok := decodeParts([]byte(text), 1)
		if !ok || len(coordinate[0]) != 32 {
			return false
		}
		point = append(point, coordinate[0]...)
	}
	_, err := ecdh.P256().NewPublicKey(point)
	return err == nil
}
