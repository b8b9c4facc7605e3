package redisstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

// ErrNotEmpty says that there is something under the keys that a Store uses.
var ErrNotEmpty = errors.New("there is Postern data already; name another database, or remove what is there")

// CodeHalfFilled is the code of Check's finding that a Fill has not come to its end.
const CodeHalfFilled = "half_filled"

// fillBatch is how many Items are written in one round trip.
const fillBatch = 500

// filling is there while Fill is under way, so that what an interrupted one left is told from what others keep.
func (k keys) filling() string { return k.in(core.Partition{}).key("filling", "") }

// Fill writes what another store keeps to an empty database, and returns how many things there were. It fails with ErrNotEmpty. What one
// left that was interrupted goes when it is called again; until it has come to its end, Check refuses the database.
func (s *Store) Fill(ctx context.Context, items iter.Seq2[core.Item, error]) (count int, err error) {
	if count, err = s.fill(ctx, items); err != nil {
		return count, fmt.Errorf("redisstore: fill: %w", err)
	}
	return count, nil
}

func (s *Store) fill(ctx context.Context, items iter.Seq2[core.Item, error]) (count int, err error) {
	if err := s.makeRoom(ctx); err != nil {
		return 0, err
	}
	versions := map[core.Partition]uint64{}
	pipe := s.client.Pipeline()
	for item, err := range items {
		if err != nil {
			return count, err
		}
		s.add(ctx, pipe, &item)
		if item.Record != nil {
			versions[item.Partition] = max(versions[item.Partition], item.Record.Version)
		}
		if count++; count%fillBatch == 0 {
			if _, err := pipe.Exec(ctx); err != nil {
				return count, err
			}
		}
	}
	for p, version := range versions {
		pipe.Set(ctx, s.keys.in(p).version(), version, 0)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return count, err
	}
	return count, s.client.Del(ctx, s.keys.filling()).Err()
}

// add adds the writing of an Item to a pipeline, in the forms that the scripts use.
func (s *Store) add(ctx context.Context, pipe redis.Pipeliner, item *core.Item) {
	at := s.keys.in(item.Partition)
	switch {
	case item.Record != nil:
		put := core.Put{Value: item.Record.Value, Schema: item.Record.Schema, Expires: item.Record.Expires}
		value := append(strconv.AppendUint(nil, item.Record.Version, 10), ' ')
		pipe.Set(ctx, at.record(item.Name), append(value, encode(&put)...), item.Keep)
	case item.Entry != nil:
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: at.log(item.Name), ID: strconv.FormatUint(item.Entry.Position.Sequence, 10) + "-0",
			Values: []any{"o", item.Entry.Position.Operation, "d", item.Entry.Data}})
	case item.Member != "":
		pipe.ZAdd(ctx, at.index(item.Name), redis.Z{Member: item.Member})
	default:
		pipe.Set(ctx, at.bucket(item.Name), item.Full.UnixMicro(), item.Keep)
	}
}

// makeRoom fails with ErrNotEmpty where others keep something, removes what an interrupted Fill left, and says that one is under way.
func (s *Store) makeRoom(ctx context.Context) error {
	left, err := s.client.Exists(ctx, s.keys.filling()).Result()
	if err != nil {
		return err
	}
	err = s.scan(ctx, func(found []string) error {
		if left == 0 {
			return ErrNotEmpty
		}
		pipe := s.client.Pipeline()
		for _, key := range found {
			if key != s.keys.filling() {
				pipe.Unlink(ctx, key)
			}
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return s.client.Set(ctx, s.keys.filling(), time.Now().Unix(), 0).Err()
}

// literal makes a text a pattern of SCAN that matches it alone.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)

// scan calls do with all keys of ours, some at a time, and perhaps more than once. No request path may: it looks at all that the servers hold.
func (s *Store) scan(ctx context.Context, do func(found []string) error) error {
	scanOne := func(ctx context.Context, client redis.Cmdable) error {
		for cursor := uint64(0); ; {
			found, next, err := client.Scan(ctx, cursor, literal.Replace(string(s.keys))+"{*", 1000).Result()
			if err == nil && len(found) > 0 {
				err = do(found)
			}
			if cursor = next; err != nil || next == 0 {
				return err
			}
		}
	}
	if s.cluster != nil {
		return s.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return scanOne(ctx, node) })
	}
	return scanOne(ctx, s.client)
}
