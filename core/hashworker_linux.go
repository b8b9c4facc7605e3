package core

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// niceness of the threads that hash. A busy neighbour of the usual niceness gets ten times as much of a core.
	niceness = 10

	// hashSlice is for how long such a thread wants to have a core at once, the least that Linux grants (since 6.12; before, it
	// is not asked). It is what a thread that gives way forgoes: with the usual slice, that of a whole request, it would get next
	// to nothing beside a busy neighbour.
	hashSlice = 100 * time.Microsecond
)

// lowerPriority makes the calling thread yield to others. Where that is forbidden it changes nothing.
func lowerPriority() {
	wanted := unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: niceness, Runtime: uint64(hashSlice)}
	if unix.SchedSetAttr(0, &wanted, 0) != nil { // some sandboxes know only the older call
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness)
	}
}

// yieldThread lets whatever else waits for the core have it. A low priority is a small share of the time, not a late turn: once it has begun,
// Linux lets a thread of any niceness go on to the next tick of its clock, up to 4 ms, before a request that is ready is looked
// at. The call takes a fraction of a microsecond where nothing waits. Go is not told of it, or it would give the thread's place to
// another and have to find it a new one, each time.
func yieldThread() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
