package sidecar

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/redisstore"
)

// CopyToRedis copies all that the embedded store in Data keeps to the Redis that RedisURL names, which must keep nothing of Postern's yet,
// and returns sentences that say so. No server may run over either. The embedded store stays as it is. Interrupted, it is to be called again.
func (o *Options) CopyToRedis(ctx context.Context) (string, error) {
	if o.RedisURL == "" {
		return "", errors.New("name the Redis to copy to: --redis, or POSTERN_REDIS_URL")
	}
	file := filepath.Join(o.Data, storeFile)
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("there is no data to copy: %w", err)
	}
	if err := assembly.CheckEmptied(o.Data, file); err != nil {
		return "", err
	}
	from, err := boltstore.Open(boltstore.Options{Path: file})
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := redisstore.Open(ctx, o.redis())
	if err != nil {
		return "", err
	}
	defer to.Close()
	fit, err := to.Check(ctx)
	if err != nil {
		return "", unreachable(o, err)
	}
	fit.Findings = slices.DeleteFunc(fit.Findings, func(f core.Finding) bool { return f.Code == redisstore.CodeHalfFilled }) // it is mended here
	if err := assembly.Accept(fit, o.AllowUnfit, zap.NewNop()); err != nil {
		return "", err
	}
	count, err := to.Fill(ctx, from.Items(ctx))
	if errors.Is(err, redisstore.ErrNotEmpty) {
		return "", fmt.Errorf("nothing was copied to Redis: %w", redisstore.ErrNotEmpty)
	} else if err != nil {
		return "", fmt.Errorf("copying was interrupted after %d entries; call it again: %w", count, err)
	}
	key := o.MasterKeyFile
	if key == "" {
		key = filepath.Join(o.Data, assembly.MasterKeyFile)
	}
	return fmt.Sprintf("All %d entries of %s are in Redis. Start servers over that with the same master key, %s, and none over the file again: what changes there from now on is not copied.",
		count, file, key), nil
}
