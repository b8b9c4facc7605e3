package redisstore

import "time"

// PollEvery makes a Tail that waits look for itself this often. It is to be called before the first.
func (s *Store) PollEvery(d time.Duration) { s.poll = d }
