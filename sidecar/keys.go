package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/control"
)

// The commands that a running server carries out.
const (
	commandRotate     = "key/rotate"
	commandManagement = "key/management"
)

// commands are what a running server does for a command line.
func (s *Sidecar) commands() map[string]control.Command {
	return map[string]control.Command{
		commandRotate: func(ctx context.Context, arguments url.Values) (string, error) {
			return rotateKeys(ctx, s.parts.Core, arguments.Get("realm"))
		},
		commandManagement: func(ctx context.Context, arguments url.Values) (string, error) {
			return newManagementKey(ctx, s.parts.Core, arguments.Get("name"))
		},
	}
}

// takeCommands serves commands until ctx ends.
func (s *Sidecar) takeCommands(ctx context.Context) {
	if err := control.Serve(ctx, s.o.Data, s.commands()); err != nil {
		s.o.Log.Warn("commands must wait until this server has ended", zap.Error(err))
	}
}

// RotateKeys gives a realm, named by id or name, new signing keys, and returns a sentence that says so. Where a server
// runs over the embedded store it is the one that does it. Options that concern listeners and the app are not looked at.
func RotateKeys(ctx context.Context, o Options, realm string) (string, error) {
	return o.command(ctx, commandRotate, url.Values{"realm": {realm}}, func(c *core.Core) (string, error) { return rotateKeys(ctx, c, realm) })
}

// NewManagementKey makes a management key for all realms with every permission, and returns its secret: for whoever has
// lost the others. It is done like RotateKeys.
func NewManagementKey(ctx context.Context, o Options, name string) (string, error) {
	return o.command(ctx, commandManagement, url.Values{"name": {name}}, func(c *core.Core) (string, error) { return newManagementKey(ctx, c, name) })
}

// command has the running server carry a command out or, where none runs, opens the data and does it here.
func (o *Options) command(ctx context.Context, name string, arguments url.Values, do func(*core.Core) (string, error)) (said string, err error) {
	if o.RedisURL == "" {
		said, err := control.Call(ctx, o.Data, name, arguments)
		if !errors.Is(err, control.ErrNobody) {
			return said, err
		}
	}
	master, err := o.existingMasterKey()
	if err != nil {
		return "", err
	}
	err = o.withCore(ctx, master, func(c *core.Core) (err error) {
		said, err = do(c)
		return err
	})
	return said, err
}

// newManagementKey does it.
func newManagementKey(ctx context.Context, c *core.Core, name string) (string, error) {
	secret, err := c.ManagementKeys.NewSecret()
	if err != nil {
		return "", err
	}
	_, err = c.ManagementKeys.Create(ctx, core.NewManagementKey{Name: name,
		Permissions: []core.Permission{core.PermissionRead, core.PermissionWrite, core.PermissionManage}}, secret, core.Request{Client: "postern key management"})
	return secret, err
}

// rotateKeys does it.
func rotateKeys(ctx context.Context, c *core.Core, realm string) (string, error) {
	found, err := c.Realms.Find(ctx, realm)
	if err != nil {
		return "", err
	}
	if err := c.Realms.RotateKeys(ctx, found.ID, core.Request{Client: "postern key rotate"}); err != nil {
		return "", err
	}
	return fmt.Sprintf("Realm %s has new signing keys. They are published now and sign in ten minutes; tokens signed before stay good until they expire.", found.Name), nil
}

// existingMasterKey reads the master key, and makes none: without the right one there is nothing to do.
func (o *Options) existingMasterKey() (*core.MasterKey, error) {
	file := o.MasterKeyFile
	if file == "" {
		file = filepath.Join(o.Data, assembly.MasterKeyFile)
	}
	return assembly.ReadMasterKey(file)
}

// withCore opens the data for the time that f takes.
func (o *Options) withCore(ctx context.Context, master *core.MasterKey, f func(*core.Core) error) error {
	store, err := o.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	c, err := core.New(core.Options{Store: store, MasterKey: master, PublicURL: o.PublicURL})
	if err != nil {
		return err
	}
	if _, err := c.Check(ctx); err != nil {
		return unreachable(o, err)
	}
	return f(c)
}

// RotateMaster replaces the master key: all that is sealed is sealed anew under the key in newFile, after which the
// former one opens nothing. It returns a sentence that says so. Interrupted, it is to be called again.
//
// With the embedded store, newFile "" makes a key and puts it in the former one's place; no server may be running. With
// Redis, servers must know both keys before (Options.FormerMasterKeyFile).
func RotateMaster(ctx context.Context, o Options, newFile string) (string, error) {
	former, err := o.existingMasterKey()
	if err != nil {
		return "", err
	}
	inPlace := newFile == ""
	if inPlace && (o.RedisURL != "" || o.MasterKeyFile != "") {
		return "", errors.New("name the file with the new master key: --new-master-key-file")
	}
	if inPlace {
		if err := o.withCore(ctx, former, func(*core.Core) error { return nil }); err != nil {
			return "", fmt.Errorf("nothing was changed: %w", err) // as when a server runs
		}
		newFile = filepath.Join(o.Data, assembly.MasterKeyFile+".new")
		if err := assembly.EnsureMasterKey(newFile); err != nil {
			return "", err
		}
	}
	master, err := assembly.ReadMasterKey(newFile)
	if err != nil {
		return "", err
	}
	count := 0
	err = o.withCore(ctx, master.Replacing(former), func(c *core.Core) (err error) {
		count, err = c.Realms.Reseal(ctx)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("sealing anew was interrupted; call it again: %w", err)
	}
	if inPlace {
		file := filepath.Join(o.Data, assembly.MasterKeyFile)
		if err := os.Rename(newFile, file); err != nil {
			return "", fmt.Errorf("cannot put the new master key in its place: %w", err)
		}
		newFile = file
	}
	return fmt.Sprintf("%d keys are sealed under the new master key, %s. The former one opens nothing any more.", count, newFile), nil
}
