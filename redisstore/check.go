package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

var checkAction = action{name: "check", repeats: true}

// Check returns the server's clock and what makes it unfit; see core.Store. In ModeCluster it asks every
// master, and returns the clock of the one whose address comes first. An operator may change settings at any time, and a failover changes the server: check again.
func (s *Store) Check(ctx context.Context) (core.Fitness, error) {
	begin := s.options.Now()
	var nodes []*facts
	var half int64
	err := s.persist(ctx, checkAction, func(ctx context.Context) (err error) {
		if nodes, err = s.inspect(ctx); err == nil {
			half, err = s.client.Exists(ctx, s.keys.filling()).Result()
		}
		return err
	})
	if err != nil {
		return core.Fitness{}, err
	}
	middle := begin.Add(s.options.Now().Sub(begin) / 2)
	fitness := core.Fitness{Server: nodes[0].server(), Now: middle.Add(nodes[0].ahead).UTC()}
	for _, f := range nodes {
		fitness.Findings = append(fitness.Findings, f.judge()...)
	}
	if half > 0 {
		fitness.Findings = append(fitness.Findings, core.Finding{Code: CodeHalfFilled, Refuse: true,
			Text: "Data is being copied to Redis, or that was interrupted: let it come to its end, or copy anew, before anybody works with a part of it."})
	}
	return fitness, nil
}

// inspect gathers the facts about each master, at least one.
func (s *Store) inspect(ctx context.Context) ([]*facts, error) {
	if s.cluster == nil {
		f, err := s.inspectNode(ctx, s.client)
		return []*facts{f}, err
	}
	var mu sync.Mutex
	var nodes []*facts
	err := s.cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		f, err := s.inspectNode(ctx, master)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		f.node = master.Options().Addr
		nodes = append(nodes, f)
		return nil
	})
	if err == nil && len(nodes) == 0 {
		return nil, fmt.Errorf("the cluster has no masters")
	}
	slices.SortFunc(nodes, func(a, b *facts) int { return cmp.Compare(a.node, b.node) }) // the first tells the time, which is to be the same one's
	return nodes, err
}

// settings are those that INFO does not tell.
var settings = []string{"appendfsync", "aof-load-truncated"}

// inspectNode gathers the facts about one server in one round trip.
func (s *Store) inspectNode(ctx context.Context, node redis.Cmdable) (*facts, error) {
	pipe := node.Pipeline()
	info := pipe.InfoMap(ctx)
	clock := pipe.Time(ctx)
	write := pipe.Del(ctx, s.keys.in(core.Partition{}).heartbeat()) // is never there
	announce := pipe.Publish(ctx, s.keys.wake(), "")                // wakes nobody
	config := make([]*redis.MapStringStringCmd, len(settings))
	for i, name := range settings {
		config[i] = pipe.ConfigGet(ctx, name)
	}
	begin := s.options.Now()
	_, execErr := pipe.Exec(ctx) // CONFIG may be forbidden, which is no failure; a connection that could not be made is
	middle := begin.Add(s.options.Now().Sub(begin) / 2)

	sections, err := info.Result()
	if err != nil {
		return nil, err
	}
	now, err := clock.Result()
	if err != nil {
		return nil, err
	}
	f := &facts{options: &s.options, info: flatten(sections), config: make(map[string]string), ahead: now.Sub(middle).Round(time.Microsecond)}
	if f.info["redis_version"] == "" { // neither answered, though neither was refused
		return nil, cmp.Or(execErr, errors.New("the server says nothing about itself"))
	}
	for i, name := range settings {
		if value, ok := config[i].Val()[name]; ok {
			f.config[name] = value
		}
	}
	f.write, f.announce = refusal(write.Err()), refusal(announce.Err())
	return f, nil
}

// refusal returns the code with which a server refused a command, "" where it did not.
func refusal(err error) string {
	answer, ok := errors.AsType[redis.Error](err)
	if !ok {
		return ""
	}
	return code(answer)
}

// flatten forgets the sections of INFO.
func flatten(sections map[string]map[string]string) map[string]string {
	all := make(map[string]string)
	for _, section := range sections {
		for name, value := range section {
			all[name] = value
		}
	}
	return all
}
