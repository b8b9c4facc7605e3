package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/redisstore"
)

// storedUsers is how many users are made to weigh one.
const storedUsers = 50_000

// passing are the kinds of keys that do not grow with the users: answers to repeated operations, kept for ten minutes, and
// what there was to tell of each user's making, kept for as long as the realm keeps events.
var passing = map[string]bool{"o:": true, "r:e:": true, "i:er:": true, "i:es:": true, "l:ev": true, "l:inv": true}

// measureMemory is goal P9.
func measureMemory(ctx context.Context, b *bench) error {
	server, err := b.startRedis()
	if err != nil {
		return err
	}
	defer server.Kill()
	client := redis.NewClient(&redis.Options{Addr: server.addr, ReadTimeout: time.Minute})
	defer func() { _ = client.Close() }()
	before, _, err := memory(ctx, client)
	if err != nil {
		return err
	}
	n := b.rounds(storedUsers, 4*storedUsers)
	if err := b.storeUsers(ctx, server, n); err != nil {
		return err
	}
	after, dataset, err := memory(ctx, client)
	if err != nil {
		return err
	}
	kinds, err := weigh(ctx, client)
	if err != nil {
		return err
	}
	lasting, others := sizes(kinds)
	each := float64(n)
	perUser := float64(lasting) / each
	b.judge(perUser <= 2800, line{What: "Redis memory of a user with a password, names, an address, a reference and all indexes", Value: perUser,
		Unit: "B", Detail: fmt.Sprintf("%d users; stretch 2000", n), Limit: "<= 2800"})
	b.add(line{What: "and of the event that tells of their making, and the answers kept for ten minutes", Value: float64(others) / each, Unit: "B"})
	b.add(line{What: "used_memory for each user, right after", Value: float64(after-before) / each, Unit: "B"})
	b.add(line{What: "used_memory_dataset for each user, right after", Value: float64(dataset) / each, Unit: "B"})
	for _, k := range kinds {
		if float64(k.bytes) >= each {
			b.add(line{What: "of which " + k.name, Value: float64(k.bytes) / each, Unit: "B", Detail: fmt.Sprintf("%d keys", k.keys)})
		}
	}
	return nil
}

// sizes returns how many bytes the kinds of keys take that grow with the users, and how many the passing ones do.
func sizes(kinds []keyKind) (lasting, others int) {
	for _, k := range kinds {
		if passing[k.name] {
			others += k.bytes
		} else {
			lasting += k.bytes
		}
	}
	return lasting, others
}

// storeUsers makes users as an import does: with hashes, so that none is computed.
func (b *bench) storeUsers(ctx context.Context, server *redisServer, n int) error {
	store, err := redisstore.Open(ctx, redisstore.Options{URL: server.url(), CallTimeout: 10 * time.Second, ReadTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	folder, err := os.MkdirTemp(b.dir, "memory-")
	if err != nil {
		return err
	}
	parts, err := assembled(store, folder)
	if err != nil {
		return err
	}
	realm, err := parts.SetUp(ctx, folder)
	if err != nil {
		return err
	}
	errs := make([]error, 16*runtime.NumCPU())
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				_, _, errs[w] = parts.Core.Users.Import(ctx, realm.ID, stored(i), false, core.Request{IP: "192.0.2.1", Client: "bench"})
			}
		})
	}
	all.Wait()
	if err := cmp.Or(errs...); err != nil {
		return err
	}
	_, err = parts.Core.Events.List(ctx, realm.ID, core.ListEvents{}) // keeps the events as records
	return err
}

// stored is the i-th user: somebody of ordinary length, who was made lately and has signed in since.
func stored(i int) core.UserImport {
	text := func(format string, a ...any) *string { s := fmt.Sprintf(format, a...); return &s }
	salt := base64.RawStdEncoding.EncodeToString(fmt.Appendf(nil, "%016d", i))
	hash := "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + base64.RawStdEncoding.EncodeToString(fmt.Appendf(nil, "%032d", i))
	made := time.Now().Add(-time.Duration(i) * time.Minute)
	return core.UserImport{
		UserChange: core.UserChange{Username: text("user-%08d", i), Email: text("user-%08d@example.com", i),
			FirstName: text("First%d", i*7919%104729), LastName: text("Last%d", i*104723%1299709), Reference: text("customer-%08d", i)},
		CreatedAt: made, LastLoginAt: made.Add(time.Hour), Password: &core.PasswordCopy{Hash: hash},
	}
}

// memory returns Redis' used_memory and used_memory_dataset, in bytes.
func memory(ctx context.Context, client *redis.Client) (used, dataset int, err error) {
	text, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, 0, err
	}
	for row := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(row), ":")
		switch name {
		case "used_memory":
			used, err = strconv.Atoi(value)
		case "used_memory_dataset":
			dataset, err = strconv.Atoi(value)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return used, dataset, nil
}

// keyKind is keys of one kind, and what they take.
type keyKind struct {
	name        string // "r:u:", as in redisstore/doc.go and core/keys.go
	keys, bytes int
}

// weigh deletes keys, kind by kind, and notes by how much that made used_memory smaller: what a key takes in Redis' own tables is in
// it, which MEMORY USAGE does not tell. Of kinds with many keys it deletes every other one, as a table that becomes too large
// for what is left is made anew, at the cost of whichever kind that happens to: so the main table stays, and each key has its share.
func weigh(ctx context.Context, client *redis.Client) ([]keyKind, error) {
	names, total := map[string][]string{}, 0
	for all := client.Scan(ctx, 0, "*", 10_000).Iterator(); all.Next(ctx); total++ {
		if err := all.Err(); err != nil {
			return nil, err
		}
		kind := kindOf(all.Val())
		names[kind] = append(names[kind], all.Val())
	}
	table := 8 << bits.Len(uint(total-1)) // a pointer for each place, of which there is a power of two
	var kinds []keyKind
	for kind, keys := range names {
		some := sampleOf(keys)
		before, _, err := memory(ctx, client)
		if err != nil {
			return nil, err
		}
		for few := range slices.Chunk(some, 1000) {
			if err := client.Del(ctx, few...).Err(); err != nil {
				return nil, err
			}
		}
		after, _, err := memory(ctx, client)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, keyKind{kind, len(keys), (before-after)*len(keys)/len(some) + table*len(keys)/total})
	}
	slices.SortFunc(kinds, func(a, b keyKind) int { return cmp.Compare(b.bytes, a.bytes) })
	return kinds, nil
}

// sampleOf returns every other key where there are many, which are alike, and else all.
func sampleOf(keys []string) []string {
	if len(keys) < 1000 {
		return keys
	}
	some := make([]string, 0, (len(keys)+1)/2)
	for i := 0; i < len(keys); i += 2 {
		some = append(some, keys[i])
	}
	return some
}

// kindOf returns what a key's kind is called.
func kindOf(key string) string {
	_, name, _ := strings.Cut(key, "}")
	kind, name, _ := strings.Cut(name, ":")
	if kind == "o" {
		return "o:"
	}
	part, _, whole := strings.Cut(name, ":")
	if whole {
		part += ":"
	}
	return kind + ":" + part
}
