package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

// loadingLook is how often AwaitLoaded looks.
const loadingLook = 250 * time.Millisecond

// AwaitLoaded waits while the server, or a master of the Cluster, reads its data after a start and refuses all calls until it has: minutes,
// where there is much of it. It calls waiting once it knows that it has to. From then on it waits for an answer too that does not come in time, from
// a server or on a machine that is busy. It returns when the server says anything else, or nothing at first, which is for Check to tell, or when ctx ends.
func (s *Store) AwaitLoaded(ctx context.Context, waiting func()) {
	for first := true; ; first = false {
		loads, err := s.loads(ctx)
		if !loads && (first || err == nil || judge(err) != lost) {
			return
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(loadingLook):
		}
	}
}

// loads reports whether the server still reads its data, and why that cannot be told where it says something else or nothing.
func (s *Store) loads(ctx context.Context) (bool, error) {
	fitness, err := s.Check(ctx)
	return redis.IsLoadingError(err) || slices.ContainsFunc(fitness.Findings, func(f core.Finding) bool { return f.Code == codeLoading }), err
}
