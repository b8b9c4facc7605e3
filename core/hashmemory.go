package core

import "sync"

// leastShared is how much memory there is at least for hashes that are not ours, in KiB: what the dearest takes.
const leastShared = maxArgon2Memory

// sharedMemory is what hashes share that are computed in memory of their own: imported ones, and ours from before hash_memory was
// lowered. Each may take many times as much as a hash does today, and slots are not counted with that in mind. Safe for
// concurrent use.
type sharedMemory struct {
	all int // KiB

	door  sync.Mutex // whoever has it waits for memory; all others wait for the door, so that none is passed by forever
	mu    sync.Mutex
	taken int
	freed *sync.Cond
}

// newSharedMemory returns as much memory as our own hashes take.
func newSharedMemory(slots int, p params) *sharedMemory {
	s := &sharedMemory{all: max(slots*int(p.memory), leastShared)}
	s.freed = sync.NewCond(&s.mu)
	return s
}

// take waits for so many KiB, and takes them until give is called. What is more than there is waits until it is alone.
func (s *sharedMemory) take(kib int) (give func()) {
	kib = min(kib, s.all)
	s.door.Lock()
	defer s.door.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.taken+kib > s.all {
		s.freed.Wait()
	}
	s.taken += kib
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken -= kib
		s.freed.Signal()
	}
}

// memoryOf returns how many KiB a hash takes; what takes next to none counts as none.
func memoryOf(h importedHash) int {
	switch h := h.(type) {
	case argon2Hash:
		return int(h.Memory)
	case scryptHash:
		return h.memory()
	case firebaseHash:
		return h.memory()
	}
	return 0
}

// memory returns how many KiB scrypt takes (RFC 7914 §5 and §6): 128 r bytes for each of N and p.
func (h scryptHash) memory() int { return h.r*(1<<h.logN+h.p)/8 + 1 }
