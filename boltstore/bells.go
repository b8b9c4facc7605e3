package boltstore

import "sync"

// bells wakes those who wait for a log to grow.
type bells struct {
	mu        sync.Mutex
	listeners map[string]map[*listener]struct{} // by the log's listPrefix
}

// listener waits for any of several logs.
type listener struct {
	rung chan struct{} // holds one token once a log grew
	logs []string
}

func newBells() *bells {
	return &bells{listeners: map[string]map[*listener]struct{}{}}
}

// listen returns a listener for logs. Whoever asks for one gives it back with leave.
func (b *bells) listen(logs []string) *listener {
	l := &listener{rung: make(chan struct{}, 1), logs: logs}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, log := range logs {
		if b.listeners[log] == nil {
			b.listeners[log] = map[*listener]struct{}{}
		}
		b.listeners[log][l] = struct{}{}
	}
	return l
}

// leave forgets l.
func (b *bells) leave(l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, log := range l.logs {
		delete(b.listeners[log], l)
		if len(b.listeners[log]) == 0 {
			delete(b.listeners, log)
		}
	}
}

// ring wakes the listeners of logs.
func (b *bells) ring(logs []string) {
	if len(logs) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, log := range logs {
		for l := range b.listeners[log] {
			select {
			case l.rung <- struct{}{}:
			default: // it has yet to answer the last ring
			}
		}
	}
}
