package sidecar

import (
	"context"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
)

// masterKey reads the master key, and makes one where that is allowed: for the embedded store, whose data
// lies beside it, and for development.
func (o *Options) masterKey(ctx context.Context, store core.Store) (*core.MasterKey, error) {
	if o.MasterKeyFile == "" {
		empty, err := core.IsEmpty(ctx, store)
		if err != nil {
			return nil, unreachable(o, err)
		}
		if err := assembly.FirstMasterKey(o.Data, empty); err != nil {
			return nil, err
		}
	}
	key, err := o.existingMasterKey()
	if err != nil || o.FormerMasterKeyFile == "" {
		return key, err
	}
	former, err := assembly.ReadMasterKey(o.FormerMasterKeyFile)
	if err != nil {
		return nil, err
	}
	return key.Replacing(former), nil
}
