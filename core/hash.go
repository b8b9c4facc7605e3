package core

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// params are what a password hash costs.
type params struct {
	memory uint32 // KiB
	passes uint32
}

// Sizes of new hashes, in bytes (RFC 9106 §3.1).
const (
	saltSize = 16
	hashSize = 32
)

// maxParams bounds what a stored hash may ask of us, whoever stored it.
var maxParams = params{memory: 1 << 20, passes: 10}

// errPHC says that a text is no Argon2id hash that we would compute.
var errPHC = errors.New("core: not an argon2id hash within bounds")

// phc is an Argon2id hash as text: "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>". Lanes are always
// one, which leaves the other cores to other requests.
type phc struct {
	params
	salt, hash []byte
}

// newPHC hashes password under a random salt.
func newPHC(random io.Reader, p params, m *argon2.Memory, password []byte) (string, error) {
	h := phc{params: p, salt: make([]byte, saltSize)}
	if _, err := io.ReadFull(random, h.salt); err != nil {
		return "", fmt.Errorf("core: salt: %w", err)
	}
	h.hash = h.of(m, password, hashSize)
	return h.String(), nil
}

// String writes the hash as text.
func (h phc) String() string {
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version13, h.memory, h.passes, enc(h.salt), enc(h.hash))
}

// parsePHC reads a hash that String wrote, and refuses what would cost more than maxParams.
func parsePHC(text string) (phc, error) {
	var h phc
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version13) {
		return phc{}, errPHC
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &h.memory, &h.passes); n != 2 || err != nil {
		return phc{}, errPHC
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.hash, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.hash) < 16 || len(h.hash) > 64 ||
		h.memory < 8 || h.memory > maxParams.memory || h.passes < 1 || h.passes > maxParams.passes || h.String() != text {
		return phc{}, errPHC
	}
	return h, nil
}

// of computes the hash of password under h's salt and cost.
func (h phc) of(m *argon2.Memory, password []byte, size int) []byte {
	p := argon2.Params{Kind: argon2.ID, Version: argon2.Version13, Memory: h.memory, Passes: h.passes, Lanes: 1}
	return m.Key(p, password, h.salt, uint32(size))
}

// matches computes the hash of password anew and compares in constant time.
func (h phc) matches(m *argon2.Memory, password []byte) bool {
	return subtle.ConstantTimeCompare(h.of(m, password, len(h.hash)), h.hash) == 1
}
