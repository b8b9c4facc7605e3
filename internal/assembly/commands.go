package assembly

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/control"
)

// What a running server does for a command line, by the names that control uses.
const (
	CommandRotate       = "key/rotate"        // realm
	CommandManagement   = "key/management"    // name
	CommandVerifyEvents = "events/verify"     // realm; "" = all. since: marks of an earlier call, or ""
	CommandRotateMaster = "key/rotate-master" // master: the ID of the key that the server was given; "" = make one
)

// errStarting says that the data is open and nobody works with it yet.
var errStarting = errors.New("the running server is about to start or to end; try again")

// Commands returns the commands of a server over the embedded store in folder. working returns who works over it at the
// moment, the newest last: a host that takes up another configuration has two for a while.
func Commands(folder string, working func() []*Assembly) map[string]control.Command {
	var one sync.Mutex // at a time, of those that replace the master key
	return map[string]control.Command{
		CommandRotate: func(ctx context.Context, arguments url.Values) (string, error) {
			return byNewest(working, func(a *Assembly) (string, error) { return RotateKeys(ctx, a.Core, arguments.Get("realm")) })
		},
		CommandManagement: func(ctx context.Context, arguments url.Values) (string, error) {
			return byNewest(working, func(a *Assembly) (string, error) { return NewManagementKey(ctx, a.Core, arguments.Get("name")) })
		},
		CommandVerifyEvents: func(ctx context.Context, arguments url.Values) (string, error) {
			return byNewest(working, func(a *Assembly) (string, error) {
				since, err := core.ParseEventMarks(arguments.Get("since"))
				if err != nil {
					return "", err
				}
				return VerifyEvents(ctx, a.Core, arguments.Get("realm"), since)
			})
		},
		CommandRotateMaster: func(ctx context.Context, arguments url.Values) (string, error) {
			one.Lock()
			defer one.Unlock()
			return byNewest(working, func(a *Assembly) (string, error) {
				if id := arguments.Get("master"); id != "" {
					return a.takeMasterKey(ctx, id)
				}
				return a.replaceMasterKey(ctx, folder, working())
			})
		},
	}
}

// byNewest has the newest of those at work do something.
func byNewest(working func() []*Assembly, do func(*Assembly) (string, error)) (string, error) {
	all := working()
	if len(all) == 0 {
		return "", errStarting
	}
	return do(all[len(all)-1])
}

// takeMasterKey seals all anew under the master key that the server was given, if that is the one meant.
func (a *Assembly) takeMasterKey(ctx context.Context, id string) (string, error) {
	if a.Core.MasterKeyID() != id {
		return "", errors.New("the running server does not have this key as its master key; give it the new one, and the one before as the former, then call this again")
	}
	count, err := a.Core.Realms.Reseal(ctx)
	if err != nil {
		return "", interrupted(err)
	}
	return Resealed(count, "of the running server"), nil
}

// replaceMasterKey replaces the master key in the data folder.
func (a *Assembly) replaceMasterKey(ctx context.Context, folder string, all []*Assembly) (string, error) {
	if !a.ownMasterKey {
		return "", errors.New("the running server was given its master key; give it a new one, and this one as the former, and name the new one: --new-master-key-file")
	}
	cores := make([]*core.Core, len(all))
	for i := range all {
		cores[i] = all[i].Core
	}
	return ReplaceOwnMasterKey(ctx, folder, cores...)
}

// ReplaceOwnMasterKey makes a master key, has the Cores over the embedded store in folder seal all anew under it, and puts it in the
// former one's place. It returns a sentence that says so. Interrupted, it is to be called again; until then OwnMasterKey knows both.
func ReplaceOwnMasterKey(ctx context.Context, folder string, cores ...*core.Core) (string, error) {
	file, next := filepath.Join(folder, MasterKeyFile), filepath.Join(folder, nextMasterKeyFile)
	if err := EnsureMasterKey(next); err != nil {
		return "", err
	}
	key, err := ReadMasterKey(next)
	if err != nil {
		return "", err
	}
	count := 0
	for _, c := range cores {
		n, err := c.ReplaceMasterKey(ctx, key)
		if count += n; err != nil {
			return "", interrupted(err)
		}
	}
	if err := errors.Join(os.Rename(next, file), syncFolder(folder)); err != nil {
		return "", fmt.Errorf("cannot put the new master key in its place: %w", err)
	}
	return Resealed(count, file), nil
}

// interrupted says what to do about a replacement that failed.
func interrupted(err error) error {
	return fmt.Errorf("sealing anew was interrupted; call it again: %w", err)
}

// Resealed says that so many keys were sealed under the master key that which names.
func Resealed(count int, which string) string {
	return fmt.Sprintf("%d keys are sealed under the new master key, %s. The former one opens nothing any more.", count, which)
}

// NewManagementKey makes a management key for all realms with every permission, and returns its secret: for whoever has
// lost the others.
func NewManagementKey(ctx context.Context, c *core.Core, name string) (string, error) {
	secret, err := c.ManagementKeys.NewSecret()
	if err != nil {
		return "", err
	}
	_, err = c.ManagementKeys.Create(ctx, core.NewManagementKey{Name: name,
		Permissions: []core.Permission{core.PermissionRead, core.PermissionWrite, core.PermissionManage}}, secret, core.Request{Client: "postern key management"})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// RotateKeys gives a realm, named by id or name, new signing keys, and returns a sentence that says so.
func RotateKeys(ctx context.Context, c *core.Core, realm string) (string, error) {
	found, err := c.Realms.Find(ctx, realm)
	if err != nil {
		return "", err
	}
	if err := c.Realms.RotateKeys(ctx, found.ID, core.Request{Client: "postern key rotate"}); err != nil {
		return "", err
	}
	return fmt.Sprintf("Realm %s has new signing keys. They are published now and sign in ten minutes; tokens signed before stay good until they expire.", found.Name), nil
}
