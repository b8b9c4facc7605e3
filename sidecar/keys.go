package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/control"
)

// takeCommands serves commands until ctx ends.
func (s *Sidecar) takeCommands(ctx context.Context) {
	commands := assembly.Commands(s.o.Data, func() []*assembly.Assembly { return []*assembly.Assembly{s.parts} })
	commands[commandExplain] = s.explain
	if err := control.Serve(ctx, s.o.Data, commands); err != nil {
		s.o.Log.Warn("commands must wait until this server has ended", zap.Error(err))
	}
}

// RotateKeys gives a realm, named by id or name, new signing keys, and returns a sentence that says so. Where a server
// runs over the embedded store, be it this one or Caddy, it is the one that does it. Options that concern listeners and the
// app are not looked at.
func RotateKeys(ctx context.Context, o Options, realm string) (string, error) {
	return o.command(ctx, assembly.CommandRotate, url.Values{"realm": {realm}}, func(c *core.Core) (string, error) {
		return assembly.RotateKeys(ctx, c, realm)
	})
}

// NewManagementKey makes a management key for all realms with every permission, and returns its secret: for whoever has
// lost the others. It is done like RotateKeys.
func NewManagementKey(ctx context.Context, o Options, name string) (string, error) {
	return o.command(ctx, assembly.CommandManagement, url.Values{"name": {name}}, func(c *core.Core) (string, error) {
		return assembly.NewManagementKey(ctx, c, name)
	})
}

// command has the running server carry a command out or, where none runs, opens the data and does it here.
func (o *Options) command(ctx context.Context, name string, arguments url.Values, do func(*core.Core) (string, error)) (string, error) {
	if said, err := o.ask(ctx, name, arguments); !errors.Is(err, control.ErrNobody) {
		return said, err
	}
	master, err := o.existingMasterKey()
	if err != nil {
		return "", err
	}
	return o.withCore(ctx, master, do)
}

// ask has the server that runs over the embedded store carry a command out. It returns control.ErrNobody where there is none.
func (o *Options) ask(ctx context.Context, name string, arguments url.Values) (string, error) {
	if o.RedisURL != "" {
		return "", control.ErrNobody
	}
	return control.Call(ctx, o.Data, name, arguments)
}

// existingMasterKey reads the master key, and makes none: without the right one there is nothing to do.
func (o *Options) existingMasterKey() (*core.MasterKey, error) {
	if o.MasterKeyFile != "" {
		return assembly.ReadMasterKey(o.MasterKeyFile)
	}
	return assembly.OwnMasterKey(o.Data)
}

// withCore opens the data for the time that f takes.
func (o *Options) withCore(ctx context.Context, master *core.MasterKey, f func(*core.Core) (string, error)) (string, error) {
	store, err := o.openStore(ctx)
	if err != nil {
		return "", err
	}
	defer store.Close()
	c, err := core.New(core.Options{Store: store, MasterKey: master, PublicURL: o.PublicURL})
	if err != nil {
		return "", err
	}
	if _, err := c.Check(ctx); err != nil {
		return "", unreachable(o, err)
	}
	return f(c)
}

// RotateMaster replaces the master key: all that is sealed is sealed anew under the key in newFile, after which the
// former one opens nothing. It returns a sentence that says so. Interrupted, it is to be called again.
//
// With the embedded store, newFile "" makes a key and puts it in the former one's place; a running server does it by itself.
// Servers that were given their master key must know both keys before (Options.FormerMasterKeyFile).
func RotateMaster(ctx context.Context, o Options, newFile string) (string, error) {
	if newFile == "" {
		if o.RedisURL != "" || o.MasterKeyFile != "" {
			return "", errors.New("name the file with the new master key: --new-master-key-file")
		}
		return o.command(ctx, assembly.CommandRotateMaster, nil, func(c *core.Core) (string, error) {
			return assembly.ReplaceOwnMasterKey(ctx, o.Data, c)
		})
	}
	master, err := assembly.ReadMasterKey(newFile)
	if err != nil {
		return "", err
	}
	said, err := o.ask(ctx, assembly.CommandRotateMaster, url.Values{"master": {master.ID()}})
	if !errors.Is(err, control.ErrNobody) {
		return said, err
	}
	former, err := o.existingMasterKey()
	if err != nil {
		return "", err
	}
	return o.withCore(ctx, master.Replacing(former), func(c *core.Core) (string, error) {
		count, err := c.Realms.Reseal(ctx)
		if err != nil {
			return "", fmt.Errorf("sealing anew was interrupted; call it again: %w", err)
		}
		return assembly.Resealed(count, newFile), nil
	})
}
