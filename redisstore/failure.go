package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

// verdict says what a failed attempt has done to the data.
type verdict int

const (
	lost    verdict = iota // perhaps all that was asked: it may have been sent, and no answer came
	refused                // nothing; another attempt fares no better soon
	retry                  // nothing; another attempt may fare better at once
	broken                 // nobody knows: this program or the database is not as it should be
)

// refusals are the error codes with which a server says that it has done nothing.
var refusals = map[string]verdict{
	"LOADING":     refused, // reads its data after a start
	"MASTERDOWN":  refused, // a replica without its master
	"CLUSTERDOWN": refused, // slots without a master
	"NOREPLICAS":  refused, // fewer than min-replicas-to-write
	"OOM":         refused, // maxmemory is used up
	"MISCONF":     refused, // it cannot write to its disk
	"BUSY":        refused, // somebody's script does not end
	"NOAUTH":      refused,
	"WRONGPASS":   refused,
	"NOPERM":      refused,
	"MAXCLIENTS":  refused, // stands for "ERR max number of clients reached"
	"READONLY":    retry,   // was the master until now
	"TRYAGAIN":    retry,   // slots on the move
	"MOVED":       retry,
	"ASK":         retry,
	"NOSCRIPT":    retry,
}

// errShifted says that a reply belongs to another call.
var errShifted = errors.New("a reply does not belong to what was asked; all connections were dropped")

// judge says what an attempt that failed with err has done.
func judge(err error) verdict {
	if errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, redis.ErrClosed) {
		return refused
	}
	if _, ok := errors.AsType[*dialError](err); ok {
		return retry
	}
	answer, ok := errors.AsType[redis.Error](err)
	if !ok {
		return lost
	}
	if v, ok := refusals[code(answer)]; ok {
		return v
	}
	return broken
}

// code returns the first word of a server's error. Redis 6.2 hides it within the text of a script's error.
func code(err redis.Error) string {
	text := err.Error()
	if strings.HasPrefix(text, "ERR max number of clients") {
		return "MAXCLIENTS"
	}
	first, after, _ := strings.Cut(text, " ")
	if first != "ERR" {
		return first
	}
	for word := range strings.FieldsSeq(after) {
		if c, dashed := strings.CutPrefix(word, "-"); dashed {
			if _, known := refusals[c]; known {
				return c
			}
		}
	}
	return first
}

// failure makes the error of an action that was given up: v is the verdict over all its attempts, err how the last
// one failed.
func failure(ctx context.Context, a action, v verdict, err error) error {
	ended := ctx.Err()
	switch {
	case v == broken:
		return fmt.Errorf("redisstore: %s: %w", a.name, err)
	case a.write && v == lost && ended != nil:
		return fmt.Errorf("redisstore: %s: %w (%w: %w)", a.name, core.ErrOutcomeUnknown, ended, err)
	case a.write && v == lost:
		return fmt.Errorf("redisstore: %s: %w (%w)", a.name, core.ErrOutcomeUnknown, err)
	case ended != nil:
		return fmt.Errorf("redisstore: %s: %w (%w)", a.name, ended, err)
	}
	if answer, ok := errors.AsType[redis.Error](err); ok && code(answer) == "MISCONF" {
		err = fmt.Errorf("%w: %w", core.ErrStoreFull, err)
	}
	return fmt.Errorf("redisstore: %s: %w (%w)", a.name, core.ErrUnavailable, err)
}
