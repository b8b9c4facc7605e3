package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/postern-auth/postern/core"
)

// counted is a store that counts what is read, which no other work on the machine can disturb.
type counted struct {
	core.Store
	ranges, members, gets, records atomic.Int64
}

// Range counts a range and the members that it returns.
func (c *counted) Range(ctx context.Context, r core.Range) ([]string, error) {
	members, err := c.Store.Range(ctx, r)
	c.ranges.Add(1)
	c.members.Add(int64(len(members)))
	return members, err
}

// Get counts a reading and the records that it asks for.
func (c *counted) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	c.gets.Add(1)
	c.records.Add(int64(len(keys)))
	return c.Store.Get(ctx, keys...)
}

// work is what a page took: ranges and their members, readings and their records.
type work struct{ ranges, members, gets, records int64 }

// so returns what was counted so far.
func (c *counted) so() work {
	return work{c.ranges.Load(), c.members.Load(), c.gets.Load(), c.records.Load()}
}

// since returns what came on top of before.
func (w work) since(before work) work {
	return work{w.ranges - before.ranges, w.members - before.members, w.gets - before.gets, w.records - before.records}
}

// least returns the lesser of each count: work in the background adds to some readings of a page, and not to all.
func (w work) least(other work) work {
	return work{min(w.ranges, other.ranges), min(w.members, other.members), min(w.gets, other.gets), min(w.records, other.records)}
}

func (w work) String() string {
	return fmt.Sprintf("%d+%d %d+%d", w.ranges, w.members, w.gets, w.records)
}
