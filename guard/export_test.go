package guard

import "time"

// AskOften lets keys be fetched as often as tokens name unknown ones.
func (k *IssuerKeys) AskOften() { k.pool.AskEvery = time.Millisecond }
