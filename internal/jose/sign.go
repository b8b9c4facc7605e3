package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
)

// Why something is not signed: the result would be a token that Parse refuses.
var (
	// ErrTooLong says that the token would be longer than MaxTokenLength.
	ErrTooLong = errors.New("token longer than 8 KiB")

	// ErrUnsignable says that claims are not one strict JSON object, or typ not a plain string.
	ErrUnsignable = errors.New("not claims of a token")
)

// Sign returns claims as a token (RFC 7515 §7.1) whose header says alg, kid and typ, in this order. typ is of 1 to
// 128 printable ASCII characters. Claims are signed byte for byte. Errors wrap ErrUnsignable or ErrTooLong.
func (k *PrivateKey) Sign(typ string, claims []byte) (string, error) {
	if !isPlain(typ) {
		return "", fmt.Errorf("jose: sign: %w: typ is not a plain string", ErrUnsignable)
	}
	return k.sign(`{"alg":"`+string(k.Alg())+`","kid":"`+k.ID()+`","typ":"`+typ+`"}`, claims)
}

// SignBare is Sign with a header that has nothing but alg, as account providers' SDKs make APTs.
func (k *PrivateKey) SignBare(claims []byte) (string, error) {
	return k.sign(`{"alg":"`+string(k.Alg())+`"}`, claims)
}

// sign returns the compact JWS of a header and claims (RFC 7515 §5.1).
func (k *PrivateKey) sign(header string, claims []byte) (string, error) {
	if _, ok := parseObject(claims); !ok {
		return "", fmt.Errorf("jose: sign: %w: claims are not one strict JSON object", ErrUnsignable)
	}
	enc := base64.RawURLEncoding
	text := make([]byte, 0, enc.EncodedLen(len(header)+len(claims)+maxSignature)+4)
	text = enc.AppendEncode(text, []byte(header))
	text = append(text, '.')
	text = enc.AppendEncode(text, claims)
	signature, err := k.signature(text)
	if err != nil {
		return "", fmt.Errorf("jose: sign: %w", err)
	}
	text = append(text, '.')
	text = enc.AppendEncode(text, signature)
	if len(text) > MaxTokenLength {
		return "", fmt.Errorf("jose: sign: %w", ErrTooLong)
	}
	return string(text), nil
}

// maxSignature is the length of the longest signature, in bytes: that of the largest RSA key.
const maxSignature = maxRSABits / 8

// signature signs.
func (k *PrivateKey) signature(signed []byte) ([]byte, error) {
	switch key := k.key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, signed), nil
	case []byte:
		return mac(key, signed), nil
	case *ecdsa.PrivateKey:
		_, sum := k.Alg().digest(signed)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum)
		if err != nil {
			return nil, err
		}
		size := numberSize(&key.PublicKey)
		out := make([]byte, 2*size)
		r.FillBytes(out[:size])
		s.FillBytes(out[size:])
		return out, nil
	case *rsa.PrivateKey:
		hash, sum := k.Alg().digest(signed)
		if k.Alg().isPSS() {
			return rsa.SignPSS(rand.Reader, key, hash, sum, pssOptions)
		}
		return rsa.SignPKCS1v15(nil, key, hash, sum)
	}
	return nil, ErrKey
}
