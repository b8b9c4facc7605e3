package guard

import "time"

// EndsAtOnce has Close leave nobody any time.
func (g *Guard) EndsAtOnce() { g.visits.notice = 0 }

// Remembers returns of how many credentials something is remembered.
func (g *Guard) Remembers() (n int) {
	for i := range g.cache.shards {
		s := &g.cache.shards[i]
		s.mu.RLock()
		n += s.byTag.count
		s.mu.RUnlock()
	}
	return n
}

// AskOften lets keys be fetched as often as tokens name unknown ones.
func (k *IssuerKeys) AskOften() { k.pool.AskEvery = time.Millisecond }
