package core

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// defaultHashSlots returns how many passwords to hash at once where nobody says: one less than there are cores, so that
// one is left for everything else, and no more than take a quarter of the memory that the process may use. memory is in
// KiB.
func defaultHashSlots(memory int) int {
	slots := runtime.GOMAXPROCS(0) - 1
	if limit := memoryLimit(); limit > 0 {
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
