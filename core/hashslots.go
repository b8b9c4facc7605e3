package core

import (
	"errors"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Hashing is what password hashes cost. The zero Hashing stands for the defaults. 'postern hash calibrate' measures what
// else would do.
type Hashing struct {
	HashSlots  int // computed at once; default one less than the cores, within a quarter of the memory, at least 1
	HashMemory int // KiB of memory that one takes (Argon2 m); 8 MiB to 1 GiB, default 19 MiB
	HashPasses int // passes over it (Argon2 t); 1 to 10, default 2

	// HashBusy is told when there is something to hash, and when there has been nothing for some seconds; default nobody
	// is. It must not block.
	HashBusy func(busy bool) `json:"-"`
}

// Validate fills the defaults and returns all complaints at once.
func (h *Hashing) Validate() error {
	defaultTo(&h.HashMemory, 19<<10)
	defaultTo(&h.HashPasses, 2)
	defaultTo(&h.HashSlots, defaultHashSlots(h.HashMemory))
	if h.HashBusy == nil {
		h.HashBusy = func(bool) {}
	}
	var errs []error
	complain := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	complain(h.HashSlots < 1 || h.HashSlots > 1024, "hash slots must be from 1 to 1024")
	complain(h.HashMemory < 8<<10 || h.HashMemory > 1<<20, "hash memory must be from 8192 to 1048576 KiB")
	complain(h.HashPasses < 1 || h.HashPasses > 10, "hash passes must be from 1 to 10")
	return errors.Join(errs...)
}

// processors is how many threads Go ran when the program started. Later it may be more for a while, since the sidecar asks for one more while
// it hashes: settings that are read again then must come to the same default.
var processors = runtime.GOMAXPROCS(0)

// defaultHashSlots returns how many passwords to hash at once where nobody says: one less than there are cores, so that
// one is left for everything else, and no more than take a quarter of the memory that the process may use. memory is in
// KiB.
func defaultHashSlots(memory int) int {
	slots := processors - 1
	if limit := memoryLimit(); limit > 0 && memory > 0 {
		slots = min(slots, int(min(limit/4/(int64(memory)<<10), math.MaxInt32)))
	}
	return max(1, slots)
}

// memoryLimitFiles say how many bytes of memory the process's control group gives, in versions 2 and 1. In a container
// they are its own.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// memoryLimit returns it, 0 where there is none.
func memoryLimit() int64 {
	for _, file := range memoryLimitFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil { // "max"
			return 0
		}
		return limit
	}
	return 0
}
