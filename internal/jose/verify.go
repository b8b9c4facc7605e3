package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
)

// ErrSignature says that a key did not sign a token.
var ErrSignature = errors.New("signature does not verify")

// pssOptions is the one form of PS256 (RFC 7518 §3.5).
var pssOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}

// Verify returns the claims, if k signed the token with k's own algorithm, and the token names no other key. Else
// it returns ErrSignature. What the claims say, times among the rest, is for the caller to judge.
func (t Token) Verify(k *PublicKey) (Claims, error) {
	if t.alg != k.alg || t.kid != "" && t.kid != k.id || !k.verifies(t.signed, t.signature) {
		return Claims{}, ErrSignature
	}
	return t.claims, nil
}

// verifies reports whether signature is k's of what was signed (RFC 7518 §3.2 to §3.5, RFC 8037 §3.1).
func (k *PublicKey) verifies(signed, signature []byte) bool {
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, signed, signature)
	case *ecdsa.PublicKey:
		if len(signature) != es256Length {
			return false
		}
		sum := sha256.Sum256(signed)
		r, s := new(big.Int).SetBytes(signature[:es256Length/2]), new(big.Int).SetBytes(signature[es256Length/2:])
		return ecdsa.Verify(key, sum[:], r, s) // which refuses numbers out of range
	case *rsa.PublicKey:
		sum := sha256.Sum256(signed)
		if k.alg == PS256 {
			return rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, pssOptions) == nil
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case []byte:
		return hmac.Equal(mac(key, signed), signature)
	}
	return false
}

// es256Length is that of an ES256 signature: R and S, 32 bytes each (RFC 7518 §3.4).
const es256Length = 64

// mac returns the HS256 signature.
func mac(secret, signed []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(signed)
	return h.Sum(nil)
}
