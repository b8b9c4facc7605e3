package sidecar

import (
	"os"
	"runtime"
	"sync"
)

// oneProcessorMore lets Go run one thread more than there are cores, unless somebody has said how many. While a password
// is hashed, which takes a thread of low priority, the system and not Go then decides who gets the core: requests do. It
// is for programs that are the sidecar alone, and happens once, after the slots for hashes were counted.
var oneProcessorMore = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
})
