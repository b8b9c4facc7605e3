package core

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// TestCheapImportedHash compares with a hash from elsewhere that takes next to nothing: the work of one of ours is done beside it, pauses and
// all, and not only the time waited.
func TestCheapImportedHash(t *testing.T) {
	h := newHasher(1, params{memory: 1 << 10, passes: 1}, func(bool) {}, rand.Reader)
	cheap, err := parseImportedHash("{SSHA}W+phg1hgkxq85xigUytntGtSLGwspRSC")
	if err != nil {
		t.Fatal(err)
	}
	pauses := 0
	h.workers.memories <- &argon2.Memory{Pause: func() { pauses++ }}
	h.recent.note(time.Second) // of which it takes next to nothing
	if ok := h.foreign(cheap, []byte("not the password")); ok || pauses == 0 {
		t.Errorf("foreign = %t after %d pauses of a hash of ours; want false, after some", ok, pauses)
	}
}
