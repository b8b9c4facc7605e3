package assembly

import (
	"context"
	"errors"
	"net/url"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/control"
)

// Data is where a host has its data, for a command line that works on it. Where a server runs over an embedded store, be it
// a sidecar or Caddy, it is the one that carries commands out, since the file is its alone; else they open the data.
type Data struct {
	Folder    string // of the embedded store, its master key and the socket of the server that runs over it
	Embedded  bool
	File      string // of the embedded store
	OwnKey    bool   // the master key is the one in Folder
	Replacing bool   // MasterKey knows a new one, and the one that it replaces
	PublicURL string // see core.Options

	Open        func(context.Context) (core.Store, error)
	MasterKey   func() (*core.MasterKey, error) // reads it, and makes none: without the right one there is nothing to do
	Unreachable func(error) error               // says that the store does not answer, and what to look at
}

// RotateKeys gives a realm, named by id or name, new signing keys, and returns a sentence that says so.
func (d *Data) RotateKeys(ctx context.Context, realm string) (string, error) {
	return d.Command(ctx, CommandRotate, url.Values{"realm": {realm}}, func(c *core.Core) (string, error) {
		return RotateKeys(ctx, c, realm)
	})
}

// NewManagementKey makes a management key for all realms with every permission, and returns its secret: for whoever has
// lost the others.
func (d *Data) NewManagementKey(ctx context.Context, name string) (string, error) {
	return d.Command(ctx, CommandManagement, url.Values{"name": {name}}, func(c *core.Core) (string, error) {
		return NewManagementKey(ctx, c, name)
	})
}

// RotateMaster replaces the master key: all that is sealed is sealed anew under the key in newFile, after which the
// former one opens nothing. It returns a sentence that says so. Interrupted, it is to be called again.
//
// With the embedded store's own key, newFile "" makes a key and puts it in the former one's place; a running server does it by
// itself. Servers that were given their master key must know both keys before; where MasterKey does too, newFile may be "".
func (d *Data) RotateMaster(ctx context.Context, newFile string) (string, error) {
	switch {
	case newFile == "" && d.OwnKey && d.Embedded:
		return d.Command(ctx, CommandRotateMaster, nil, func(c *core.Core) (string, error) {
			return ReplaceOwnMasterKey(ctx, d.Folder, c)
		})
	case newFile == "" && !d.Replacing:
		return "", errors.New("name the file with the new master key: --new-master-key-file")
	case newFile == "":
		master, err := d.MasterKey()
		if err != nil {
			return "", err
		}
		return d.resealed(ctx, master, "of the configuration", func() (*core.MasterKey, error) { return master, nil })
	}
	master, err := ReadMasterKey(newFile)
	if err != nil {
		return "", err
	}
	return d.resealed(ctx, master, newFile, func() (*core.MasterKey, error) {
		former, err := d.MasterKey()
		if err != nil {
			return nil, err
		}
		return master.Replacing(former), nil
	})
}

// resealed has all sealed anew under master, which the running server has or, where none runs, both returns together with the
// former one.
func (d *Data) resealed(ctx context.Context, master *core.MasterKey, which string, both func() (*core.MasterKey, error)) (string, error) {
	said, err := d.ask(ctx, CommandRotateMaster, url.Values{"master": {master.ID()}})
	if !errors.Is(err, control.ErrNobody) {
		return said, err
	}
	if master, err = both(); err != nil {
		return "", err
	}
	return d.withCore(ctx, master, func(c *core.Core) (string, error) {
		count, err := c.Realms.Reseal(ctx)
		if err != nil {
			return "", interrupted(err)
		}
		return Resealed(count, which), nil
	})
}

// Command has the running server carry a command out or, where none runs, opens the data and does it here.
func (d *Data) Command(ctx context.Context, name string, arguments url.Values, do func(*core.Core) (string, error)) (string, error) {
	if said, err := d.ask(ctx, name, arguments); !errors.Is(err, control.ErrNobody) {
		return said, err
	}
	master, err := d.MasterKey()
	if err != nil {
		return "", err
	}
	return d.withCore(ctx, master, do)
}

// ask has the server that runs over the embedded store carry a command out. It returns control.ErrNobody where there is none.
func (d *Data) ask(ctx context.Context, name string, arguments url.Values) (string, error) {
	if !d.Embedded {
		return "", control.ErrNobody
	}
	return control.Call(ctx, d.Folder, name, arguments)
}

// withCore opens the data for the time that f takes.
func (d *Data) withCore(ctx context.Context, master *core.MasterKey, f func(*core.Core) (string, error)) (string, error) {
	store, err := d.Open(ctx)
	if err != nil {
		return "", err
	}
	defer store.Close()
	c, err := core.New(core.Options{Store: store, MasterKey: master, PublicURL: d.PublicURL})
	if err != nil {
		return "", err
	}
	if _, err := c.Check(ctx); err != nil {
		return "", d.Unreachable(err)
	}
	return f(c)
}
