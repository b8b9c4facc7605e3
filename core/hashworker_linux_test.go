package core

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// TestWorkersYield holds that hashes are computed on a thread of low priority that asks for short turns, and nothing else is: the
// thread that asks for a hash stays as it is.
func TestWorkersYield(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	w := newWorkers(1, func(bool) {})
	var attr *unix.SchedAttr
	var err error
	w.do(func(m *argon2.Memory) {
		attr, err = unix.SchedGetAttr(0, 0)
		if m.Pause == nil {
			t.Error("a hash makes no pauses; want some, to give way in")
		}
	})
	if err != nil || attr.Nice != niceness || attr.Policy != unix.SCHED_NORMAL {
		t.Fatalf("a worker's thread has %+v, %v; want niceness %d", attr, err, niceness)
	}
	if attr.Runtime != 0 && attr.Runtime != uint64(hashSlice) { // Linux before 6.12 says 0
		t.Errorf("a worker's turn is %d ns; want %d", attr.Runtime, hashSlice)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if own, err := unix.SchedGetAttr(0, 0); err != nil || own.Nice == niceness {
		t.Errorf("the thread that asked has %+v, %v; want the usual niceness", own, err)
	}
}

// TestWorkersOfOneThread holds that hashes keep the usual priority where Go runs one thread at a time: what waits for it waits for all of the program.
func TestWorkersOfOneThread(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := newWorkers(1, func(bool) {})
	var attr *unix.SchedAttr
	var err error
	w.do(func(*argon2.Memory) { attr, err = unix.SchedGetAttr(0, 0) })
	if err != nil || attr.Nice == niceness {
		t.Errorf("a worker's thread has %+v, %v; want the usual niceness", attr, err)
	}
}
