// Package assembly puts the parts together, alike in both hosts: from one options struct and an open
// store to core, guard and API. It knows no listener and no configuration file.
package assembly

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/internal/delivery"
	"github.com/postern-auth/postern/pages"
)

// Options says what to put together. Store and MasterKey are required.
type Options struct {
	Store        core.Store
	MasterKey    *core.MasterKey
	OwnMasterKey bool          // MasterKey comes from OwnMasterKey, and so may be replaced by command
	PublicURL    string        // see core.Options
	MaxStaleness time.Duration // see core.Options
	Hashing      core.Hashing  // see core.Options
	KeyRate      int           // see httpapi.Options

	RefusedPasswords *core.PasswordList // see core.Options
	Log              *zap.Logger        // default none
	Meters           *Meters            // what is counted; default new ones

	Delivery delivery.Options // of webhooks and e-mails
	LinkBase string           // see core.Options

	// Notice is told what an operator may want to act on; default nobody is. It must not block.
	Notice func(Notice)
}

// Assembly is a Postern without listeners.
type Assembly struct {
	Core *core.Core
	API  *httpapi.API

	Meters *Meters

	log          *zap.Logger
	reporter     *reporter
	courier      *delivery.Courier
	ownMasterKey bool
}

// New puts a Postern together. It reads and writes nothing yet; the caller calls Run.
func New(o Options) (*Assembly, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Meters == nil {
		o.Meters = NewMeters()
	}
	var happened func(*core.Event)
	if o.Notice == nil {
		o.Notice = func(Notice) {}
	} else {
		happened = func(e *core.Event) { o.Notice(Notice{Name: e.Type, event: e}) }
	}
	r := &reporter{log: o.Log, meters: o.Meters, notice: o.Notice}
	courier, err := delivery.New(o.Delivery)
	if err != nil {
		return nil, err
	}
	c, err := core.New(core.Options{Courier: courier, LinkBase: o.LinkBase,
		Store: o.Store, MasterKey: o.MasterKey, PublicURL: o.PublicURL, MaxStaleness: o.MaxStaleness, Hashing: o.Hashing, RefusedPasswords: o.RefusedPasswords, Report: r.report, Trouble: r.trouble,
		Happened: happened})
	if err != nil {
		return nil, err
	}
	api, err := httpapi.New(httpapi.Options{Core: c, Logger: o.Log.Named("api"), Observe: o.Meters.Call, KeyRate: o.KeyRate})
	if err != nil {
		return nil, err
	}
	return &Assembly{Core: c, API: api, Meters: o.Meters, log: o.Log, reporter: r, courier: courier, ownMasterKey: o.OwnMasterKey}, nil
}

// NewGuard returns a guard over the same core, with o saying what it lets in and what it tells. The caller closes it.
func (a *Assembly) NewGuard(o guard.Options) (*guard.Guard, error) {
	o.Realms, o.Resolver, o.Feed, o.Now = a.Core.Realms, a.Core.Sessions, guard.FeedOf(a.Core.Feed), a.Core.Now
	o.Keys, o.Renewer, o.Asserter = a.Core.APIKeys, a.Core.Sessions, a.Core.Realms
	o.IssuerKeys = a.Meters.IssuerKeys
	o.Logger, o.Observe = a.log.Named("guard"), a.Meters.Judged(cmp.Or(o.Realm, core.DefaultRealm))
	return guard.New(o)
}

// NewPages returns hosted pages over the same core, that set the cookie which g reads. o says where they are and what they
// are called.
func (a *Assembly) NewPages(g *guard.Guard, o pages.Options) (*pages.Pages, error) {
	o.Realms, o.Passwords, o.SecondFactors, o.Sessions = a.Core.Realms, a.Core.Passwords, a.Core.SecondFactors, a.Core.Sessions
	o.Cookies, o.Now = g, a.Core.Now
	o.Logger = a.log.Named("pages")
	return pages.New(o)
}

// Run does the work that no request waits for, until ctx ends.
func (a *Assembly) Run(ctx context.Context) {
	defer a.courier.Close()
	a.Core.Run(ctx)
}

// FirstKeyFile is the file in the data folder that holds the first management key until somebody takes it.
const FirstKeyFile = "management.key"

// SetUp makes sure that the store has a first realm and management key. The key's secret is written to
// FirstKeyFile in folder, mode 0600, before the key exists, so that whatever interrupts the two, nobody is locked
// out: the next SetUp goes on from there.
func (a *Assembly) SetUp(ctx context.Context, folder string) (*core.Realm, error) {
	file := filepath.Join(folder, FirstKeyFile)
	kept, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the first management key: %w", err)
	}
	realm, _, err := a.Core.First(ctx, "")
	if !errors.Is(err, core.ErrEmptyStore) {
		return realm, err
	}
	secret := string(kept)
	if secret == "" {
		if secret, err = a.Core.ManagementKeys.NewSecret(); err != nil {
			return nil, err
		}
		if err := WriteSecretFile(file, []byte(secret)); err != nil {
			return nil, err
		}
	}
	if err := a.Core.SetUp(ctx, secret); err != nil {
		return nil, err
	}
	realm, ours, err := a.Core.First(ctx, secret)
	if err == nil && !ours {
		err = os.Remove(file) // another process set the same store up, and has the key
	}
	return realm, err
}

// FirstKeyLeft returns the file in folder where the first management key still lies, "" if there is none.
func FirstKeyLeft(folder string) string {
	file := filepath.Join(folder, FirstKeyFile)
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	return file
}

// RemindOfFirstKey logs where the first management key lies, as long as nobody has taken it from folder.
func (a *Assembly) RemindOfFirstKey(folder string, realm core.RealmID) {
	if file := FirstKeyLeft(folder); file != "" {
		a.log.Warn("the first management key lies in a file; keep it in a safe place and remove the file",
			zap.String("file", file), zap.String("realm", string(realm)))
	}
}

// FirstKey returns the first management key, if it still lies in folder, else "". Whoever has shown it calls
// DropFirstKey.
func (a *Assembly) FirstKey(ctx context.Context, folder string) (string, error) {
	secret, err := os.ReadFile(filepath.Join(folder, FirstKeyFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("cannot read the first management key: %w", err)
	}
	if _, ours, err := a.Core.First(ctx, string(secret)); err != nil || !ours {
		return "", err
	}
	return string(secret), nil
}

// DropFirstKey removes the first management key from folder, where it may not be.
func DropFirstKey(folder string) error {
	err := os.Remove(filepath.Join(folder, FirstKeyFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// WriteSecretFile writes a new file that only its owner may read, whole or not at all. It fails where the
// file is there already.
func WriteSecretFile(path string, secret []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(secret)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Link(temp.Name(), path) // unlike a rename, never replaces what is there
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// syncFolder makes sure that the names in a folder outlive a power failure.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
