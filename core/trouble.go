package core

import "sync"

// troubles knows which work in the background fails, so that somebody is told once when it begins to and once when it
// goes well again, and not at each try. Safe for concurrent use.
type troubles struct {
	tell func(work string, err error)

	mu      sync.Mutex
	failing map[string]bool
}

// note takes how a try went.
func (t *troubles) note(work string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing[work] == (err != nil) {
		return
	}
	t.failing[work] = err != nil
	t.tell(work, err)
}
