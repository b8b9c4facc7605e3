package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/redisstore"
)

// storeFile is the embedded store's place in the data folder.
const storeFile = "postern.db"

// openStore opens Redis where it is named, else the file in the data folder.
func (o *Options) openStore(ctx context.Context) (core.Store, error) {
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, notAllowed(fmt.Errorf("cannot make the data folder: %w", err))
	}
	if o.RedisURL != "" {
		return opened(redisstore.Open(ctx, o.redis()))
	}
	file := filepath.Join(o.Data, storeFile)
	if err := assembly.CheckEmptied(o.Data, file); err != nil {
		return nil, err
	}
	store, err := opened(boltstore.Open(boltstore.Options{Path: file}))
	return store, notAllowed(err)
}

// notAllowed adds to an error what to do where the operating system does not let us write in the data folder.
func notAllowed(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run this as the user who owns the data, or name another folder with --data", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w; name a folder that can be written with --data", err)
	}
	return err
}

// redis says how Redis is used.
func (o *Options) redis() redisstore.Options {
	return redisstore.Options{URL: o.RedisURL, Durability: redisstore.Durability(o.Durability), WaitReplicas: o.WaitReplicas}
}

// loadingPatience bounds how long a start waits for a Redis that reads its data.
const loadingPatience = 5 * time.Minute

// awaitRedis waits for a Redis that was started a moment ago, such as with this machine, and reads its data. Whatever else is wrong with
// it is for checkStore to say.
func (o *Options) awaitRedis(ctx context.Context) error {
	if o.RedisURL == "" {
		return nil
	}
	store, err := redisstore.Open(ctx, o.redis())
	if err != nil {
		return err
	}
	defer store.Close()
	patient, cancel := context.WithTimeout(ctx, loadingPatience)
	defer cancel()
	store.AwaitLoaded(patient, func() {
		o.Log.Warn("redis still reads its data after a start; waiting for it", zap.Duration("at_most", loadingPatience))
	})
	if ctx.Err() != nil {
		return errors.New("told to stop before Redis could be used")
	}
	return nil
}

// opened keeps a store that is not there from looking like one.
func opened[S core.Store](store S, err error) (core.Store, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}

// checkStore logs what is wrong with the database, and refuses one that should not be a system of record.
func checkStore(ctx context.Context, c *core.Core, o *Options) error {
	fit, err := c.Check(ctx)
	if err != nil {
		return unreachable(o, err)
	}
	return assembly.Accept(fit, o.AllowUnfit, o.Log)
}

// unreachable says that the store does not do what was asked, and what to look at.
func unreachable(o *Options, err error) error {
	if o.RedisURL == "" {
		return fmt.Errorf("cannot use the data in %s: %v", o.Data, err)
	}
	why := err.Error()
	if _, tried, is := strings.Cut(why, "redisstore: "); is {
		_, why, _ = strings.Cut(tried, ": ")
	}
	if _, cause, ok := strings.Cut(why, core.ErrUnavailable.Detail); ok { // which is said to callers of the API
		why = strings.Trim(cause, " ()")
	}
	return fmt.Errorf("cannot use Redis: %s; %s", strings.TrimSuffix(why, "."), o.remedy(why))
}

// remedies say what to do about Redis' own words, by how these begin.
var remedies = []struct{ word, remedy string }{
	{"NOAUTH", "give user and password in --redis or POSTERN_REDIS_URL"},
	{"WRONGPASS", "are user and password right in --redis or POSTERN_REDIS_URL?"},
	{"NOPERM", "give its user the rights in docs/production.md"},
	{"LOADING", "it still reads its data after a start: try again when it has"},
	{"OOM", "its memory is full: raise maxmemory, or have nothing else in it"},
	{"NOREPLICAS", "too few of its replicas follow it: see to them, or to min-replicas-to-write"},
	{"READONLY", "it is a replica: name the master, or use Sentinels"},
	{"MISCONF", "it cannot write to its disk; its log says why"},
	{"MOVED", "it is a node of a Cluster: name it as redis+cluster://"},
	{"CLUSTERDOWN", "it is a node of a Cluster that does not work as a whole: see to that, and name it as redis+cluster://"},
	{"ERR This instance has cluster support disabled", "it is no Cluster: name it as redis://"},
}

// remedy returns what to do where Redis cannot be used, and says why.
func (o *Options) remedy(why string) string {
	for _, r := range remedies {
		if strings.HasPrefix(why, r.word) {
			return r.remedy
		}
	}
	if strings.HasPrefix(o.RedisURL, "rediss") {
		return "is it running, does it speak TLS, and are address, password and database in --redis or POSTERN_REDIS_URL right?"
	}
	return "is it running, and are address, password and database in --redis or POSTERN_REDIS_URL right?"
}
