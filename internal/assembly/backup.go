package assembly

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/control"
)

// commandBackup is what a running server writes all its data for.
const commandBackup = "backup"

// backer is a store that can write all that it keeps while it is at work: the embedded one.
type backer interface {
	Backup(ctx context.Context, w io.Writer) error
}

// errNoBackup says what to do about Redis.
var errNoBackup = errors.New("the data is in Redis, which has means of its own for backups: see docs/backup.md")

// Streams returns what a server over the embedded store writes for a command line.
func Streams(store core.Store) map[string]control.Stream {
	return map[string]control.Stream{commandBackup: func(ctx context.Context, w io.Writer) error { return backUp(ctx, store, w) }}
}

// backUp writes all that a store keeps.
func backUp(ctx context.Context, store core.Store, w io.Writer) error {
	b, ok := store.(backer)
	if !ok {
		return errNoBackup
	}
	return b.Backup(ctx, w)
}

// Backup writes all that the embedded store keeps to file, as it is at one moment, and returns a sentence that says so. A running server
// is not disturbed. A file of that name is replaced, once the new one is whole and on disk; nobody but its owner may read it.
func (d *Data) Backup(ctx context.Context, file string) (string, error) {
	size := int64(0)
	err := replaceSecretFile(file, func(w *os.File) error {
		if err := d.WriteBackup(ctx, w); err != nil {
			return err
		}
		info, err := w.Stat()
		size = info.Size()
		return err
	})
	if err != nil {
		return "", err
	}
	key := "the master key that the server is given"
	if d.OwnKey {
		key = "the master key, " + filepath.Join(d.Folder, MasterKeyFile)
	}
	return fmt.Sprintf("%d bytes are in %s. They are of use only with %s: keep a copy of it too, in another place.", size, file, key), nil
}

// WriteBackup is Backup to a writer, which after an error may have a part of it.
func (d *Data) WriteBackup(ctx context.Context, w io.Writer) error {
	if !d.Embedded {
		return errNoBackup
	}
	if _, err := os.Stat(d.File); err != nil {
		return fmt.Errorf("there is no data yet: %w", err)
	}
	if err := control.Fetch(ctx, d.Folder, commandBackup, w); !errors.Is(err, control.ErrNobody) {
		return err
	}
	store, err := d.Open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	return backUp(ctx, store, w)
}

// replaceSecretFile has a file written that only its owner may read, and puts it in the place of the one at path: whole and on disk, or
// not at all.
func replaceSecretFile(path string, write func(*os.File) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	if err := write(temp); err != nil {
		return errors.Join(err, temp.Close())
	}
	err = errors.Join(temp.Sync(), temp.Close())
	if err == nil {
		err = errors.Join(os.Rename(temp.Name(), path), syncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
