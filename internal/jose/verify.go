package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"math/big"
)

// ErrSignature says that a key did not sign a token.
var ErrSignature = errors.New("signature does not verify")

// pssOptions is the one form of RSASSA-PSS (RFC 7518 §3.5).
var pssOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

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
		size := numberSize(key)
		if len(signature) != 2*size {
			return false
		}
		_, sum := k.alg.digest(signed)
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(key, sum, r, s) // which refuses numbers out of range
	case *rsa.PublicKey:
		hash, sum := k.alg.digest(signed)
		if k.alg.isPSS() {
			return rsa.VerifyPSS(key, hash, sum, signature, pssOptions) == nil
		}
		return rsa.VerifyPKCS1v15(key, hash, sum, signature) == nil
	case []byte:
		return hmac.Equal(mac(key, signed), signature)
	}
	return false
}

// numberSize returns how many bytes each of R and S has in a signature: 32, 48 or 66 (RFC 7518 §3.4).
func numberSize(key *ecdsa.PublicKey) int { return (key.Curve.Params().BitSize + 7) / 8 }

// digest returns the hash that an algorithm uses, and the digest of what is signed.
func (a Alg) digest(signed []byte) (crypto.Hash, []byte) {
	switch a {
	case ES384, RS384, PS384:
		sum := sha512.Sum384(signed)
		return crypto.SHA384, sum[:]
	case ES512, RS512, PS512:
		sum := sha512.Sum512(signed)
		return crypto.SHA512, sum[:]
	}
	sum := sha256.Sum256(signed)
	return crypto.SHA256, sum[:]
}

// mac returns the HS256 signature.
func mac(secret, signed []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(signed)
	return h.Sum(nil)
}
