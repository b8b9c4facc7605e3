package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// waits reports whether a write is to be confirmed by replicas or disks; durable is what core says of it.
func (s *Store) waits(durable bool) bool {
	o := &s.options
	return (o.Durability == DurabilityReplicas || o.Durability == DurabilityDisk) && (durable || o.WaitAll)
}

// changed reports whether a script that replied so has written anything. What has not needs no confirmation.
func changed(reply []any) bool { return reply[0] != "conflict" && reply[0] != int64(0) }

// waitCommand queues the wait for what was queued before it.
func (s *Store) waitCommand(ctx context.Context, pipe redis.Pipeliner) redis.Cmder {
	o := &s.options
	if o.Durability == DurabilityDisk {
		return pipe.Do(ctx, "waitaof", 1, o.WaitReplicas, o.WaitTimeout.Milliseconds())
	}
	return pipe.Do(ctx, "wait", o.WaitReplicas, o.WaitTimeout.Milliseconds())
}

// unconfirmed says that a write happened, but may not outlive a failure.
type unconfirmed struct{ why string }

// Error says what is missing.
func (e *unconfirmed) Error() string { return "the write is not safe yet: " + e.why }

// confirmed returns nil if enough replicas and disks have the write. Anything else leaves it in doubt.
func (s *Store) confirmed(waiting redis.Cmder) error {
	o := &s.options
	cmd := waiting.(*redis.Cmd)
	if err := cmd.Err(); err != nil {
		return &unconfirmed{err.Error()}
	}
	if o.Durability == DurabilityReplicas {
		replicas, err := cmd.Int()
		if err != nil || replicas < o.WaitReplicas {
			return &unconfirmed{fmt.Sprintf("%d of %d replicas have it", replicas, o.WaitReplicas)}
		}
		return nil
	}
	acks, err := cmd.Int64Slice()
	if err != nil || len(acks) != 2 || acks[0] < 1 || acks[1] < int64(o.WaitReplicas) {
		return &unconfirmed{fmt.Sprintf("own disk and %d replicas' are asked for, got %v", o.WaitReplicas, acks)}
	}
	return nil
}
