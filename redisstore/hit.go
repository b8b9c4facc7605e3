package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/postern-auth/postern/core"
)

// bucketSlack is how long a bucket is kept beyond the time when it is full, as clocks may differ.
const bucketSlack = time.Minute

// Hit takes one unit from a rate bucket; see core.Store.
func (s *Store) Hit(ctx context.Context, bucket core.Bucket, rate core.Rate, now time.Time) (core.Allowance, error) {
	if err := bucket.Validate(); err != nil {
		return core.Allowance{}, fmt.Errorf("redisstore: hit: %w", err)
	}
	if err := rate.Validate(); err != nil {
		return core.Allowance{}, fmt.Errorf("redisstore: hit: %w", err)
	}
	interval := rate.Every.Microseconds()
	c := newCall(hitScript, 1, 4, 0)
	c.add(s.keys.in(bucket.Partition).bucket(bucket.Name), now.UnixMicro(), interval, int64(rate.Burst)*interval, bucketSlack.Milliseconds())
	// It is not repeated: a hit whose answer was lost may have taken its unit.
	if err := s.run(ctx, action{name: "hit", write: true, durable: s.waits(rate.Durable)}, c); err != nil {
		return core.Allowance{}, err
	}
	return readAllowance(c.reply)
}

// readAllowance reads the reply of hit.lua.
func readAllowance(reply []any) (core.Allowance, error) {
	if len(reply) != 2 {
		return core.Allowance{}, fmt.Errorf("redisstore: hit: %w", errBadReply)
	}
	text, _ := reply[1].(string)
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0:
		return core.Allowance{}, fmt.Errorf("redisstore: hit: %w", errBadReply)
	case reply[0] == int64(1):
		return core.Allowance{OK: true, Remaining: int(n)}, nil
	}
	return core.Allowance{RetryAfter: time.Duration(n) * time.Microsecond}, nil
}
