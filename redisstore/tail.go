package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// pollInterval is how often a Tail that waits looks for itself: this is what unmasks a deposed master and makes
// up for lost announcements.
const pollInterval = time.Second

var tailAction = action{name: "tail", repeats: true}

// Tail returns what was appended to logs; see core.Store. While it waits it asks the server about once a
// second, and fails as soon as that fails.
func (s *Store) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	for _, l := range logs {
		if err := l.Log.Validate(); err != nil {
			return nil, fmt.Errorf("redisstore: tail: %w", err)
		}
	}
	t := &tailing{store: s, groups: group(logs, func(l core.LogPosition) core.Partition { return l.Log.Partition })}
	for _, l := range logs {
		t.feeds = append(t.feeds, core.Feed{Log: l.Log, Next: l.After})
	}
	if wait <= 0 {
		_, err := t.poll(ctx)
		return t.answer(err)
	}
	bell := s.bells.listen(logs) // before the first look, so that nothing falls between the two
	defer s.bells.leave(logs, bell)
	return t.answer(t.follow(ctx, wait, bell))
}

// tailing is a Tail under way.
type tailing struct {
	store  *Store
	groups []members
	feeds  []core.Feed // where it has got to, and in the end what it found
}

// answer returns the feeds, unless the tailing failed.
func (t *tailing) answer(err error) ([]core.Feed, error) {
	if err != nil {
		return nil, err
	}
	return t.feeds, nil
}

// follow polls until there is something, or the wait is over.
func (t *tailing) follow(ctx context.Context, wait time.Duration, bell <-chan struct{}) error {
	over := time.NewTimer(wait)
	defer over.Stop()
	tick := time.NewTicker(t.store.poll)
	defer tick.Stop()
	for {
		if news, err := t.poll(ctx); news || err != nil {
			return err
		}
		select {
		case <-bell:
		case <-tick.C:
		case <-over.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("redisstore: tail: %w", ctx.Err())
		case <-t.store.closed: // the next poll fails
		}
	}
}

// poll asks once, and reports whether any log has something new.
func (t *tailing) poll(ctx context.Context) (news bool, err error) {
	calls := make([]*call, len(t.groups))
	for i, g := range t.groups {
		in := t.store.keys.in(g.partition)
		c := newCall(tailScript, 1+len(g.at), 1+3*len(g.at), 0)
		c.add(in.heartbeat(), core.MaxTail)
		for _, at := range g.at {
			c.add(in.log(t.feeds[at].Log.Name), positionArgs(t.feeds[at].Next)...)
		}
		calls[i] = c
	}
	if err := t.store.run(ctx, tailAction, calls...); err != nil {
		return false, err
	}
	for i, g := range t.groups {
		if len(calls[i].reply) != len(g.at) {
			return false, fmt.Errorf("redisstore: tail: %w", errBadReply)
		}
		for j, at := range g.at {
			feed := &t.feeds[at]
			if err := readFeed(feed, calls[i].reply[j]); err != nil {
				return false, fmt.Errorf("redisstore: tail %s in partition %s: %w", feed.Log.Name, g.partition, err)
			}
			news = news || feed.Gap || len(feed.Entries) > 0
		}
	}
	return news, nil
}

// positionArgs spells a position out as tail.lua expects it.
func positionArgs(p core.Position) []any {
	if p == core.End {
		return []any{"end", "", ""}
	}
	return []any{strconv.FormatUint(p.Sequence, 10), p.Operation, strconv.FormatUint(p.Sequence+1, 10)}
}

// readFeed moves a feed on by what tail.lua replied about its log.
func readFeed(feed *core.Feed, reply any) error {
	parts, _ := reply.([]any)
	if len(parts) < 3 {
		return errBadReply
	}
	sequence, _ := parts[1].(string)
	operation, whole := parts[2].(string)
	newest, err := readPosition(sequence, operation)
	if err != nil || !whole {
		return errBadReply
	}
	if feed.Gap = parts[0] == "gap"; feed.Gap || feed.Next == core.End {
		feed.Next = newest
		return nil
	}
	feed.Entries = make([]core.Entry, 0, len(parts)-3)
	for _, part := range parts[3:] {
		entry, _ := part.(string)
		sequence, after, _ := strings.Cut(entry, " ")
		operation, data, whole := strings.Cut(after, " ")
		if feed.Next, err = readPosition(sequence, operation); err != nil || !whole {
			return errBadReply
		}
		feed.Entries = append(feed.Entries, core.Entry{Position: feed.Next, Data: []byte(data)})
	}
	return nil
}

// readPosition reads the sequence and the operation id of an entry.
func readPosition(sequence, operation string) (core.Position, error) {
	n, err := strconv.ParseUint(sequence, 10, 64)
	if err != nil {
		return core.Position{}, errBadReply
	}
	return core.Position{Sequence: n, Operation: operation}, nil
}
