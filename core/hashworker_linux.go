package core

import (
	"syscall"
	"time"
)

// niceness of the threads that hash. A busy neighbour of the usual niceness gets ten times as much of a core.
const niceness = 10

// lowerPriority makes the calling thread yield to others. Where that is forbidden it changes nothing.
func lowerPriority() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
}

// linger holds the calling thread for a while. time.Sleep waits for whole milliseconds where nothing else happens, by which one could tell
// who slept from who worked.
func linger(rest time.Duration) {
	for until := time.Now().Add(rest); rest > 0; rest = time.Until(until) {
		left := syscall.NsecToTimespec(int64(rest))
		_ = syscall.Nanosleep(&left, nil) // a signal ends it too early
	}
}
