package redisstore

import (
	"context"
	"fmt"

	"github.com/postern-auth/postern/core"
)

var getAction = action{name: "get", repeats: true, brief: true}

// Get returns one Record per key; see core.Store.
func (s *Store) Get(ctx context.Context, wanted ...core.Key) ([]core.Record, error) {
	for _, k := range wanted {
		if err := k.Validate(); err != nil {
			return nil, fmt.Errorf("redisstore: get: %w", err)
		}
	}
	groups := group(wanted, func(k core.Key) core.Partition { return k.Partition })
	calls := make([]*call, len(groups))
	for i, g := range groups {
		calls[i] = newCall(getScript, len(g.at), 0, 0)
		in := s.keys.in(g.partition)
		for _, at := range g.at {
			calls[i].key(in.record(wanted[at].Name))
		}
	}
	if err := s.run(ctx, getAction, calls...); err != nil {
		return nil, err
	}
	records := make([]core.Record, len(wanted))
	for i, g := range groups {
		for j, at := range g.at {
			var err error
			if records[at], err = readRecord(calls[i].reply, j); err != nil {
				return nil, fmt.Errorf("redisstore: get %s in partition %s: %w", wanted[at].Name, g.partition, err)
			}
		}
	}
	return records, nil
}

// readRecord reads the i-th record of a reply.
func readRecord(reply []any, i int) (core.Record, error) {
	if i >= len(reply) {
		return core.Record{}, errBadReply
	}
	if reply[i] == nil {
		return core.Record{}, nil
	}
	kept, ok := reply[i].(string)
	if !ok {
		return core.Record{}, errBadReply
	}
	return decode(kept)
}

// members of a call's input that lie in one partition.
type members struct {
	partition core.Partition
	at        []int // their places in the input
}

// group sorts things by partition, in the order in which partitions first appear.
func group[T any](things []T, partition func(T) core.Partition) []members {
	if one, ok := together(things, partition); ok {
		return one
	}
	var groups []members
	place := make(map[core.Partition]int)
	for i, thing := range things {
		p := partition(thing)
		at, known := place[p]
		if !known {
			at = len(groups)
			place[p] = at
			groups = append(groups, members{partition: p})
		}
		groups[at].at = append(groups[at].at, i)
	}
	return groups
}

// together returns the one group that there is where all things lie in one partition, as they nearly always do.
func together[T any](things []T, partition func(T) core.Partition) ([]members, bool) {
	if len(things) == 0 {
		return nil, false
	}
	one := members{partition: partition(things[0]), at: make([]int, len(things))}
	for i, thing := range things {
		if partition(thing) != one.partition {
			return nil, false
		}
		one.at[i] = i
	}
	return []members{one}, true
}
