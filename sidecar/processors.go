package sidecar

import (
	"os"
	"runtime"
	"sync"
)

// oneProcessorMore returns what lets Go run one thread more than there are cores while passwords are hashed, or nil where
// somebody has said how many. A hash takes a thread of low priority, so the system and not Go then decides who gets the core:
// requests do. At other times one more would only be in the way. It is for programs that are the sidecar alone.
func oneProcessorMore() func(busy bool) {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	return hashing.change
}

// hashing counts the sidecars of this process that hash.
var hashing hashingSidecars

type hashingSidecars struct {
	mu    sync.Mutex
	count int
}

// change takes that one more hashes, or one fewer.
func (h *hashingSidecars) change(busy bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if busy {
		h.count++
	} else {
		h.count--
	}
	switch {
	case busy && h.count == 1:
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	case !busy && h.count == 0:
		runtime.SetDefaultGOMAXPROCS()
	}
}
