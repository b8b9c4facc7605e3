package boltstore

import (
	"context"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// Hit takes one unit from a rate bucket at the given time. A hit that took something is on disk when it returns; a
// refused one writes nothing.
func (s *Store) Hit(ctx context.Context, bucket core.Bucket, rate core.Rate, now time.Time) (core.Allowance, error) {
	if err := bucket.Validate(); err != nil {
		return core.Allowance{}, fmt.Errorf("boltstore: hit: %w", err)
	}
	if err := rate.Validate(); err != nil {
		return core.Allowance{}, fmt.Errorf("boltstore: hit: %w", err)
	}
	h := &hit{
		key:  whereKey(bucket.Partition, bucket.Name),
		rate: rate,
		now:  now.UnixMicro(),
		here: s.now().UnixMilli(),
	}
	if err := s.commit.submit(ctx, h); err != nil {
		return core.Allowance{}, fmt.Errorf("boltstore: hit: %w", err)
	}
	return h.allowance, nil
}

// hit is one Hit as a change.
type hit struct {
	key  []byte
	rate core.Rate
	now  int64 // microseconds, as the caller said
	here int64 // milliseconds, by this machine's clock

	allowance core.Allowance // set by write
}

// write implements change.
func (h *hit) write(tx *bolt.Tx) (wrote bool, err error) {
	full, err := fullAt(tx, h.key)
	if err != nil {
		return false, err
	}
	full, h.allowance = take(full, h.rate, h.now)
	if !h.allowance.OK {
		return false, nil
	}
	if err := dropRate(tx, h.key); err != nil {
		return true, err
	}
	d := deadlineAfter(h.here, (full-h.now)/1000+core.ExpirySlack.Milliseconds())
	if err := tx.Bucket(rateBucket).Put(h.key, encodeRate(h.key, full, d)); err != nil {
		return true, err
	}
	return true, setDeadline(tx, d, kindRate, h.key)
}

// take is GCRA: a bucket is known by the moment at which it will be full, and each unit taken puts that
// off by the time it takes to come back. It returns the new moment. All times are in microseconds.
//
// A clock that steps back finds the bucket as far from full as the step is long: it grants nothing extra.
func take(full int64, rate core.Rate, now int64) (int64, core.Allowance) {
	every := rate.Every.Microseconds()
	whole := int64(rate.Burst) * every // from empty to full
	next := max(full, now) + every
	if wait := next - now - whole; wait > 0 {
		return full, core.Allowance{RetryAfter: microseconds(wait)}
	}
	return next, core.Allowance{OK: true, Remaining: int((whole - (next - now)) / every)}
}

// microseconds returns n of them, or as many as a Duration holds.
func microseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Microsecond)
	return time.Duration(min(n, most)) * time.Microsecond
}

// longAgo is when a bucket became full that nobody has hit.
const longAgo = -1 << 62

// fullAt returns when the bucket under key will be, or became, full.
func fullAt(tx *bolt.Tx, key []byte) (int64, error) {
	value := tx.Bucket(rateBucket).Get(key)
	if value == nil {
		return longAgo, nil
	}
	full, _, err := decodeRate(key, value)
	return full, err
}

// dropRate fills the bucket under key up again, by forgetting it.
func dropRate(tx *bolt.Tx, key []byte) error {
	value := tx.Bucket(rateBucket).Get(key)
	if value == nil {
		return nil
	}
	_, d, err := decodeRate(key, value)
	if err != nil {
		return err
	}
	if err := clearDeadline(tx, d, kindRate, key); err != nil {
		return err
	}
	return tx.Bucket(rateBucket).Delete(key)
}
