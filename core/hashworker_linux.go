package core

import "syscall"

// niceness of the threads that hash. A busy neighbour of the usual niceness gets ten times as much of a core.
const niceness = 10

// lowerPriority makes the calling thread yield to others. Where that is forbidden it changes nothing.
func lowerPriority() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
}
