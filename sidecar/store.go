package sidecar

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
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
		return opened(redisstore.Open(ctx, redisstore.Options{URL: o.RedisURL}))
	}
	return opened(boltstore.Open(boltstore.Options{Path: filepath.Join(o.Data, storeFile)}))
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
	var refused []error
	for _, f := range fit.Findings {
		if f.Refuse && !o.AllowUnfit {
			refused = append(refused, errors.New(f.Text))
			continue
		}
		o.Log.Warn("database is less than fit", zap.String("reason", f.Code), zap.String("finding", f.Text))
	}
	if len(refused) > 0 {
		return fmt.Errorf("%s is not fit to keep users: %w", fit.Server, errors.Join(refused...))
	}
	o.Log.Info("store is open", zap.String("store", fit.Server))
	return nil
}

// unreachable says that the store does not answer, and what to look at.
func unreachable(o *Options, err error) error {
	if o.RedisURL == "" {
		return fmt.Errorf("cannot open the data in %s: %w", o.Data, err)
	}
	return fmt.Errorf("cannot reach Redis; is it running, and are address and password in POSTERN_REDIS_URL or --redis right? %w", err)
}
