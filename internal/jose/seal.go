package jose

import (
	"bytes"
	"crypto/x509"
	"fmt"
)

// Marshal returns the key with its algorithm, in a form for UnmarshalPrivateKey. It is secret, and to be kept sealed.
func (k *PrivateKey) Marshal() ([]byte, error) { return marshalKey(string(k.Alg()), k.key) }

// UnmarshalPrivateKey reads what PrivateKey.Marshal wrote. Errors wrap ErrKey.
func UnmarshalPrivateKey(text []byte) (*PrivateKey, error) {
	alg, key, err := unmarshalKey(text)
	if err != nil {
		return nil, err
	}
	return newPrivateKey(Alg(alg), key)
}

// marshalKey returns an algorithm and a key, after a space: a secret as it is, any other key as PKCS#8.
func marshalKey(alg string, key any) ([]byte, error) {
	text := []byte(alg + " ")
	if secret, ok := key.([]byte); ok {
		return append(text, secret...), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("jose: marshal key: %w", err)
	}
	return append(text, der...), nil
}

// unmarshalKey reads what marshalKey wrote.
func unmarshalKey(text []byte) (alg string, key any, err error) {
	name, rest, ok := bytes.Cut(text, []byte(" "))
	if !ok || len(name) == 0 {
		return "", nil, fmt.Errorf("%w: it names no algorithm", ErrKey)
	}
	if Alg(name) == HS256 {
		return string(name), bytes.Clone(rest), nil
	}
	if key, err = x509.ParsePKCS8PrivateKey(rest); err != nil {
		return "", nil, fmt.Errorf("%w: it is not PKCS#8", ErrKey)
	}
	return string(name), key, nil
}
