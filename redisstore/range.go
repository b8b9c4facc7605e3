package redisstore

import (
	"context"
	"fmt"

	"github.com/postern-auth/postern/core"
)

var rangeAction = action{name: "range", repeats: true}

// Range returns members of an ordered index; see core.Store.
func (s *Store) Range(ctx context.Context, r core.Range) ([]string, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("redisstore: range: %w", err)
	}
	begin, end, order := lexBounds(r)
	c := newCall(rangeScript, 1, 4, 0)
	c.add(s.keys.in(r.Index.Partition).index(r.Index.Name), begin, end, r.Limit, order)
	if err := s.run(ctx, rangeAction, c); err != nil {
		return nil, err
	}
	var found []string
	for _, list := range c.reply {
		items, _ := list.([]any)
		for _, item := range items {
			member, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("redisstore: range: %w", errBadReply)
			}
			found = append(found, member)
		}
	}
	return found, nil
}

// lexBounds returns where ZRANGE BYLEX begins and ends, and in which order.
func lexBounds(r core.Range) (begin, end, order string) {
	begin, end = "-", "+"
	if r.From != "" {
		begin = "[" + r.From
	}
	if r.To != "" {
		end = "(" + r.To
	}
	if r.Descending {
		return end, begin, "REV"
	}
	return begin, end, ""
}
