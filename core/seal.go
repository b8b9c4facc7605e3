package core

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// MasterKeySize is the size of a master key in bytes.
const MasterKeySize = chacha20poly1305.KeySize

// MasterKey seals what the store must be able to keep but not to read: signing keys and shared
// secrets. The store never sees it.
type MasterKey struct {
	id     string // tells which key sealed a text; reveals nothing of it
	aead   cipher.AEAD
	former *MasterKey // opens what was sealed before it was replaced; nil for none
}

// NewMasterKey returns the MasterKey made of 32 random bytes.
func NewMasterKey(key []byte) (*MasterKey, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("a master key has %d bytes, this one %d", MasterKeySize, len(key))
	}
	sum := sha256.Sum256(append([]byte("postern master key id\x00"), key...))
	return &MasterKey{id: hex.EncodeToString(sum[:4]), aead: aead}, nil
}

// Replacing returns m as the successor of former, which is still good to open what it sealed: see
// Realms.Reseal. What m itself replaces stays good too.
func (m *MasterKey) Replacing(former *MasterKey) *MasterKey {
	if m.former != nil {
		former = m.former.Replacing(former)
	}
	return &MasterKey{id: m.id, aead: m.aead, former: former}
}

// ID returns 8 hex digits that tell this key from another and reveal nothing of it.
func (m *MasterKey) ID() string { return m.id }

// ErrWrongMasterKey says that a text was sealed under another master key, or was tampered with. That says nothing
// about whoever is asking: a server meets it that does not know of a new master key yet, and can answer as soon as it does.
var ErrWrongMasterKey = &Error{Kind: KindUnavailable, Code: "wrong_master_key",
	Detail: "what is sealed in the data store cannot be opened here; nothing was decided, try again shortly", RetryAfter: 5 * time.Second}

// seal encrypts secret for the given place (a record's name), so that it opens nowhere else.
// XChaCha20-Poly1305 with a random nonce; the result is "<key id>.<base64url>".
func (m *MasterKey) seal(random io.Reader, place string, secret []byte) (string, error) {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(secret)+chacha20poly1305.Overhead)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("core: seal: %w", err)
	}
	box := m.aead.Seal(nonce, nonce, secret, []byte(place))
	return m.id + "." + base64.RawURLEncoding.EncodeToString(box), nil
}

// open returns what seal was given, or an error that wraps ErrWrongMasterKey.
func (m *MasterKey) open(place, sealed string) ([]byte, error) {
	id, text, _ := strings.Cut(sealed, ".")
	if id != m.id && m.former != nil {
		return m.former.open(place, sealed)
	}
	if id != m.id {
		return nil, fmt.Errorf("core: open %s: sealed under master key %s, this one is %s: %w", place, id, m.id, ErrWrongMasterKey)
	}
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(box) < chacha20poly1305.NonceSizeX {
		return nil, fmt.Errorf("core: open %s: %w", place, ErrWrongMasterKey)
	}
	secret, err := m.aead.Open(nil, box[:chacha20poly1305.NonceSizeX], box[chacha20poly1305.NonceSizeX:], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("core: open %s: %w", place, ErrWrongMasterKey)
	}
	return secret, nil
}

// foreign reports whether a text was sealed under a key that m neither is nor replaces. What seal cannot have made is not foreign.
func (m *MasterKey) foreign(sealed string) bool {
	id, text, _ := strings.Cut(sealed, ".")
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(box) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead || !only(id, "0123456789abcdef", 8, 8) {
		return false
	}
	for ; m != nil; m = m.former {
		if id == m.id {
			return false
		}
	}
	return true
}

// sealedHere reports whether a text was sealed under this very key, and not its predecessor.
func (m *MasterKey) sealedHere(sealed string) bool {
	id, _, _ := strings.Cut(sealed, ".")
	return id == m.id
}

// sealer seals and opens with the master key in use, which may be replaced at any time. Safe for concurrent use.
type sealer struct{ key atomic.Pointer[MasterKey] }

func newSealer(m *MasterKey) *sealer {
	s := &sealer{}
	s.key.Store(m)
	return s
}

func (s *sealer) seal(random io.Reader, place string, secret []byte) (string, error) {
	return s.key.Load().seal(random, place, secret)
}

func (s *sealer) open(place, sealed string) ([]byte, error) { return s.key.Load().open(place, sealed) }

func (s *sealer) foreign(sealed string) bool { return s.key.Load().foreign(sealed) }

func (s *sealer) sealedHere(sealed string) bool { return s.key.Load().sealedHere(sealed) }

// replace seals with m from now on. What the former key sealed still opens.
func (s *sealer) replace(m *MasterKey) {
	for former := s.key.Load(); former.id != m.id; former = s.key.Load() {
		if s.key.CompareAndSwap(former, m.Replacing(former)) {
			return
		}
	}
}
