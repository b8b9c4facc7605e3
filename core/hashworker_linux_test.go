package core

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// TestWorkersYield holds that hashes are computed on a thread of low priority that asks for short turns, and nothing else is: the
// thread that asks for a hash stays as it is.
func TestWorkersYield(t *testing.T) {
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

// TestLingerIsWork has a worker linger on a core that a busy neighbour has most of. It is done once it has worked for as long as it was told,
// and not when that long has passed: a hash of ours takes as much work then, and more time.
func TestLingerIsWork(t *testing.T) {
	var core unix.CPUSet
	if err := unix.SchedGetaffinity(0, &core); err != nil {
		t.Fatal(err)
	}
	for cpu, kept := 0, false; cpu < len(core)*64; cpu++ { // one of those there are
		if kept {
			core.Clear(cpu)
		}
		kept = kept || core.IsSet(cpu)
	}
	var over atomic.Bool
	ready, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread() // and ends with it
		ready <- unix.SchedSetaffinity(0, &core)
		for !over.Load() {
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	const told = 20 * time.Millisecond
	var worked time.Duration
	var err error
	w := newWorkers(1, func(bool) {})
	w.do(func(*argon2.Memory) {
		err = unix.SchedSetaffinity(0, &core)
		begun := threadTime()
		linger(begun + told)
		worked = threadTime() - begun
	})
	over.Store(true)
	<-gone
	if err != nil || worked < told {
		t.Errorf("beside a busy neighbour a worker that lingers works for %v, %v; want %v", worked, err, told)
	}
}
