package sidecar

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
		return nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	if o.RedisURL != "" {
		return opened(redisstore.Open(ctx, o.redis()))
	}
	return opened(boltstore.Open(boltstore.Options{Path: filepath.Join(o.Data, storeFile)}))
}

// redis says how Redis is used.
func (o *Options) redis() redisstore.Options {
	return redisstore.Options{URL: o.RedisURL, Durability: redisstore.Durability(o.Durability), WaitReplicas: o.WaitReplicas}
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

// unreachable says that the store does not answer, and what to look at.
func unreachable(o *Options, err error) error {
	if o.RedisURL == "" {
		return fmt.Errorf("cannot read the data in %s: %w", o.Data, err)
	}
	why := strings.TrimPrefix(err.Error(), "redisstore: check: ")
	if _, cause, ok := strings.Cut(why, core.ErrUnavailable.Detail); ok { // which is said to callers of the API
		why = strings.Trim(cause, " ()")
	}
	return fmt.Errorf("cannot use Redis: %s; is it running, and are address, password and database in --redis or POSTERN_REDIS_URL right?", why)
}
