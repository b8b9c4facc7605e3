package core

import (
	"cmp"
	"sync"
	"time"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// HashCost is what hashing costs on this machine at one setting.
type HashCost struct {
	Hashing
	Took time.Duration // one hash, while all slots are busy
}

// PerSecond returns how many sign-ins a second all slots bear.
func (c HashCost) PerSecond() float64 { return float64(c.HashSlots) / c.Took.Seconds() }

// calibrated are the amounts of memory that are tried, in MiB. The first, with two passes, is the least that OWASP
// recommends.
var calibrated = []int{19, 32, 46, 64, 96, 128, 192, 256}

// CalibrateHashing measures what hashing costs, with more and more memory, until a hash takes longer than longest or
// the slots would take more than a quarter of the memory there is; the last is the most that this machine bears. It
// returns one at least, and takes up to some ten times longest.
func CalibrateHashing(longest time.Duration) []HashCost {
	var costs []HashCost
	for _, mib := range calibrated {
		h := Hashing{HashMemory: mib << 10}
		if err := h.Validate(); err != nil {
			break // it would be ours
		}
		limit := cmp.Or(memoryLimit(), int64(h.HashSlots)<<40)
		if len(costs) > 0 && (int64(h.HashSlots)*int64(mib)<<20 > limit/4 || h.HashSlots < costs[0].HashSlots) {
			break
		}
		took := timeHashing(h)
		if len(costs) > 0 && took > longest {
			break
		}
		costs = append(costs, HashCost{h, took})
	}
	return costs
}

// timeHashing returns how long a hash takes while all slots are busy: the best of three, since what disturbs only adds.
func timeHashing(h Hashing) time.Duration {
	best := make([]time.Duration, h.HashSlots)
	p := phc{params: params{uint32(h.HashMemory), uint32(h.HashPasses)}, salt: make([]byte, saltSize)}
	var all sync.WaitGroup
	for i := range best {
		all.Go(func() {
			var m argon2.Memory
			p.of(&m, nil, hashSize) // the memory is there after
			for range 3 {
				begun := time.Now()
				p.of(&m, nil, hashSize)
				if took := time.Since(begun); best[i] == 0 || took < best[i] {
					best[i] = took
				}
			}
		})
	}
	all.Wait()
	longest := best[0]
	for _, took := range best {
		longest = max(longest, took)
	}
	return longest
}
