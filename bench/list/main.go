// Command list measures what a page of a list of users costs among many users, against the same page among few: a
// list must cost what it shows, and not what there is. It loads both into empty stores of one kind, asks the API's handler, in this
// process and without a network, for pages of 100 in every order for several filters, at the start and far on, by turns of the two,
// and prints medians and their ratio; the ratio of the quickest readings, which work of others on the machine disturbs least; and, where
// it is not the same in both, what was read: ranges+members readings+records. Beside it, read in the same spells, is the ratio of
// the list alone: core's, without reading the request and writing the answer.
//
//	go run ./bench/list -large 1000000                                      # the embedded store
//	go run ./bench/list -large 1000000 -redis redis://127.0.0.1:6379        # an empty Redis, left full
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/redisstore"
)

func main() {
	var o options
	flag.IntVar(&o.small, "small", 1000, "users in the small realm, at least 1000")
	flag.IntVar(&o.large, "large", 100_000, "users in the large realm")
	flag.IntVar(&o.repeat, "repeat", 200, "how often each page is read")
	flag.IntVar(&o.writers, "writers", 64, "users made at once")
	flag.StringVar(&o.redis, "redis", "", "URL of an empty Redis; without it, the embedded store in a temporary folder")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "list:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	small, large, repeat, writers int
	redis                         string
}

// run loads and measures.
func run(ctx context.Context, o options) error {
	if o.small < 1000 || o.large < o.small || o.repeat < 1 || o.writers < 1 {
		return fmt.Errorf("there must be at least 1000 users, and one repetition and writer")
	}
	dir, err := os.MkdirTemp("", "postern-list-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	fmt.Printf("%s, %d cores, %d and %d users\n", runtime.Version(), runtime.GOMAXPROCS(0), o.small, o.large)
	small, err := o.load(ctx, dir, o.small)
	if err != nil {
		return err
	}
	defer func() { _ = small.store.Close() }()
	large, err := o.load(ctx, dir, o.large)
	if err != nil {
		return err
	}
	defer func() { _ = large.store.Close() }()
	return compare(ctx, small, large, o.repeat)
}

// patience is how long Redis may take for an answer while a million users are made on a busy machine.
const patience = 30 * time.Second

// open opens a store for n users.
func (o options) open(ctx context.Context, dir string, n int) (core.Store, error) {
	if o.redis != "" {
		return redisstore.Open(ctx, redisstore.Options{URL: o.redis, KeyPrefix: fmt.Sprintf("list-%d:", n),
			ReadTimeout: patience, WriteTimeout: patience, CallTimeout: patience})
	}
	return boltstore.Open(boltstore.Options{Path: filepath.Join(dir, fmt.Sprint(n, ".db"))})
}

// load opens a store and makes n users in a realm of it.
func (o options) load(ctx context.Context, dir string, n int) (*crowd, error) {
	opened, err := o.open(ctx, dir, n)
	if err != nil {
		return nil, err
	}
	store := &counted{Store: opened}
	secret := make([]byte, core.MasterKeySize)
	_, _ = rand.Read(secret) // never fails
	master, err := core.NewMasterKey(secret)
	if err != nil {
		return nil, err
	}
	host, err := assembly.New(assembly.Options{Store: store, MasterKey: master})
	if err != nil {
		return nil, err
	}
	go host.Run(ctx)
	realm, err := host.Core.Realms.Create(ctx, core.NewRealm{Name: "list"}, core.Request{})
	if err != nil {
		return nil, err
	}
	crowd := &crowd{store: store, users: host.Core.Users, api: host.API, realm: realm.ID}
	if crowd.key, err = reading(ctx, host.Core, realm.ID); err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := crowd.fill(ctx, n, o.writers); err != nil {
		return nil, err
	}
	fmt.Printf("%d users made in %s\n", n, time.Since(begun).Round(time.Millisecond))
	return crowd, nil
}

// reading makes a management key that may read a realm, and returns its secret.
func reading(ctx context.Context, c *core.Core, realm core.RealmID) (secret string, err error) {
	if secret, err = c.ManagementKeys.NewSecret(); err != nil {
		return "", err
	}
	in := core.NewManagementKey{Name: "list", Realm: realm, Permissions: []core.Permission{core.PermissionRead}}
	_, err = c.ManagementKeys.Create(ctx, in, secret, core.Request{})
	return secret, err
}
