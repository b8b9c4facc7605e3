package core

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// workerIdle is how long a worker waits for more to do before it gives its thread and its memory back.
const workerIdle = 10 * time.Second

// workers compute hashes on threads of their own, which have a low priority where the system lets a thread have one
// (Linux): whatever else there is to do goes first, and a hash takes what is left. The memory of hashes is used again.
type workers struct {
	jobs     chan func()
	memories chan *argon2.Memory // not in use
	staff    *staff
}

// staff counts the workers there are, and tells when the first comes and when the last has gone.
type staff struct {
	mu    sync.Mutex
	count int
	busy  func(bool)
}

func (s *staff) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.count > 0
	s.count += n
	if now := s.count > 0; now != before {
		s.busy(now)
	}
}

// newWorkers returns workers for so many hashes at once. They start when there is something to do. busy is told when the
// first does, and when all have ended.
func newWorkers(most int, busy func(bool)) workers {
	return workers{jobs: make(chan func()), memories: make(chan *argon2.Memory, most), staff: &staff{busy: busy}}
}

// do computes something and waits for it. What panics there panics here.
func (w workers) do(compute func(*argon2.Memory)) {
	done := make(chan any, 1)
	job := func() {
		defer func() { done <- recover() }()
		m := w.take()
		defer w.give(m)
		compute(m)
	}
	select {
	case w.jobs <- job:
	default:
		w.staff.add(1)
		go w.run(job)
	}
	if p := <-done; p != nil {
		panic(p)
	}
}

// run is a worker: it does one job and then what comes, until nothing does. Its thread ends with it, since a thread that
// was given a low priority must not serve anything else. Where Go runs one thread at a time, as in a Caddy on one core, it keeps the usual one: while a
// thread of low priority waits for the core, nothing of the program could run.
func (w workers) run(job func()) {
	defer w.staff.add(-1)
	if !oneAtATime() {
		runtime.LockOSThread()
		lowerPriority()
	}
	idle := time.NewTimer(workerIdle)
	for {
		job()
		idle.Reset(workerIdle)
		select {
		case job = <-w.jobs:
		case <-idle.C:
			w.take() // and drop it
			return
		}
	}
}

// oneAtATime reports whether Go runs one thread at a time. The sidecar has it run two while it hashes.
func oneAtATime() bool { return runtime.GOMAXPROCS(0) == 1 }

// pollEvery is how many pauses there are to one in which Go looks at the network: some two milliseconds of hashing.
const pollEvery = 32

// pollPause is for how long a hash steps aside then. Where nothing else is ready, Go comes back to it after a millisecond.
const pollPause = 50 * time.Microsecond

var pauses atomic.Uint32

// giveWay lets whatever else waits have the processor: of this program, where that runs one thread at a time, and else of all programs. As long as
// something is ready to run, which a hash that only yields always is, Go looks at the network every ten milliseconds, and a request waits for that several
// times: so the hash is not ready now and then.
func giveWay() {
	switch {
	case !oneAtATime():
		yieldThread()
	case pauses.Add(1)%pollEvery == 0:
		time.Sleep(pollPause)
	default:
		runtime.Gosched()
	}
}

// linger keeps the calling thread at work for a while, with the pauses of a hash. Who sleeps for as long is told from who works: the kernel
// wakes a thread some fifty microseconds late, on a core that has gone idle meanwhile, which is 7 % of a cheap hash.
func linger(rest time.Duration) {
	for until := time.Now().Add(rest); rest > 0; rest = time.Until(until) {
		giveWay()
		for pause := time.Now().Add(min(rest, 100*time.Microsecond)); time.Now().Before(pause); {
		}
	}
}

// take returns memory for a hash, what another has left where there is some.
func (w workers) take() *argon2.Memory {
	select {
	case m := <-w.memories:
		return m
	default:
		return &argon2.Memory{Pause: giveWay}
	}
}

// give keeps memory for the next hash.
func (w workers) give(m *argon2.Memory) {
	select {
	case w.memories <- m:
	default:
	}
}
