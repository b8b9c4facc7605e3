package redisstore

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestKeysInARoom holds keys that stand in one room, and those that made it grow, against keys by themselves.
func TestKeysInARoom(t *testing.T) {
	alone := keys("postern:").in(core.Partition{Realm: "rl_x", Number: 7})
	sharing := alone.within(new(room), 3, 0)
	names := []string{"u:usr_1", "", "n:" + strings.Repeat("x", 200), "u:usr_2"}
	var got []string
	for _, name := range names {
		got = append(got, sharing.record(name), sharing.index(name), sharing.version())
	}
	for i, name := range names {
		for j, want := range []string{alone.record(name), alone.index(name), alone.version()} {
			if got[3*i+j] != want {
				t.Errorf("in a room, a key of %q is %q; want %q", name, got[3*i+j], want)
			}
		}
	}
	if want := "postern:{rl_x:7}r:u:usr_1"; got[0] != want {
		t.Errorf("record(%q) = %q; want %q", names[0], got[0], want)
	}
}
