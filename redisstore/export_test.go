package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// PollEvery makes a Tail that waits look for itself this often. It is to be called before the first.
func (s *Store) PollEvery(d time.Duration) { s.poll = d }

// WaitForCompany makes the first in line wait this long for a round trip to end. It is to be called before the first read.
func (s *Store) WaitForCompany(d time.Duration) { s.convoys.patience = d }

// Traffic returns how many round trips of reads are under way, and how many reads wait for one of them to end.
func (s *Store) Traffic() (going, waiting int) {
	s.convoys.mu.Lock()
	defer s.convoys.mu.Unlock()
	return s.convoys.going, len(s.convoys.line)
}

// OnPipeline has see told how many commands there are in each pipeline. It is to be called before the first.
func (s *Store) OnPipeline(see func(commands int)) { s.client.AddHook(pipelineHook{s.conns, see}) }

type pipelineHook struct {
	*connections
	see func(int)
}

func (h pipelineHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h pipelineHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		h.see(len(commands))
		return next(ctx, commands)
	}
}
