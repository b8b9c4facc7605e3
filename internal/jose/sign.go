package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
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

// verifies reports whether signature is k's of what was signed.
func (k *PublicKey) verifies(signed string, signature []byte) bool {
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, []byte(signed), signature)
	case *ecdsa.PublicKey:
		if len(signature) != 64 { // RFC 7518 §3.4: R and S, 32 bytes each
			return false
		}
		sum := sha256.Sum256([]byte(signed))
		return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case *rsa.PublicKey:
		sum := sha256.Sum256([]byte(signed))
		if k.alg == PS256 {
			return rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, pssOptions) == nil
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case []byte:
		return hmac.Equal(mac(key, signed), signature)
	}
	return false
}

// mac returns the HS256 signature.
func mac(secret []byte, signed string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// Sign returns claims, which must be one strict JSON object, as a token whose header says alg, kid and typ. typ
// is of 1 to 128 printable characters.
func (k *PrivateKey) Sign(typ string, claims []byte) (string, error) {
	if typ == "" || len(typ) > maxHeaderMember || !isToken(typ) {
		return "", errors.New("jose: sign: typ is not a plain text")
	}
	return k.sign(`{"alg":"`+string(k.Alg())+`","kid":"`+k.ID()+`","typ":"`+typ+`"}`, claims)
}

// SignBare is Sign with a header that has nothing but alg, as account providers' SDKs make APTs.
func (k *PrivateKey) SignBare(claims []byte) (string, error) {
	return k.sign(`{"alg":"`+string(k.Alg())+`"}`, claims)
}

// sign returns the compact JWS (RFC 7515 §5.1). A token that Parse would refuse is not made.
func (k *PrivateKey) sign(header string, claims []byte) (string, error) {
	if _, ok := parseObject(claims); !ok {
		return "", errors.New("jose: sign: claims are not one strict JSON object")
	}
	enc := base64.RawURLEncoding
	signed := make([]byte, 0, enc.EncodedLen(len(header))+1+enc.EncodedLen(len(claims)))
	signed = enc.AppendEncode(signed, []byte(header))
	signed = append(signed, '.')
	signed = enc.AppendEncode(signed, claims)
	signature, err := k.signature(signed)
	if err != nil {
		return "", fmt.Errorf("jose: sign: %w", err)
	}
	token := string(enc.AppendEncode(append(signed, '.'), signature))
	if len(token) > MaxTokenLength {
		return "", fmt.Errorf("jose: sign: %w", malformed("longer than 8 KiB"))
	}
	return token, nil
}

// signature signs.
func (k *PrivateKey) signature(signed []byte) ([]byte, error) {
	switch key := k.key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, signed), nil
	case []byte:
		return mac(key, string(signed)), nil
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256(signed)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out, nil
	case *rsa.PrivateKey:
		sum := sha256.Sum256(signed)
		if k.Alg() == PS256 {
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], pssOptions)
		}
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	}
	return nil, ErrKey
}
