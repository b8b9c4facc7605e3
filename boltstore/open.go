package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Why a file cannot be opened. The error that Open returns also says which file.
var (
	// ErrInUse says that another process, or another Store of this one, has the file open.
	ErrInUse = errors.New("in use by another Postern process; stop it, or use Redis to share data between processes")

	// ErrDamaged says that the file is not a Postern database, or no longer a whole one.
	ErrDamaged = errors.New("not a whole Postern database; put a backup in its place, or move it away to start empty")

	// ErrNewerFormat says that the file was written by a newer Postern, whose layout this one does not know.
	ErrNewerFormat = errors.New("written by a newer Postern; use that version or a later one")
)

// format is the number of the layout that doc.go describes.
const format = 1

const defaultLockTimeout = time.Second

// Options configures a Store. Only Path is required.
type Options struct {
	Path        string           // of the file; it is made with mode 0600, its folder with mode 0700, where they are missing
	LockTimeout time.Duration    // for how long to wait for a process that has the file open; default 1s, at least 1ms
	Now         func() time.Time // when to tidy up and what Check reports; default time.Now
}

// validate fills in defaults and returns every complaint about o, joined.
func (o *Options) validate() error {
	var errs []error
	if o.Path == "" {
		errs = append(errs, errors.New("the path is empty; name the file to keep the data in"))
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.LockTimeout < time.Millisecond {
		errs = append(errs, fmt.Errorf("LockTimeout is %v; it must be at least 1ms", o.LockTimeout))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return errors.Join(errs...)
}

// Open opens the database file of options, which is made if it is missing. The error wraps ErrInUse,
// ErrDamaged, ErrNewerFormat or an fs error. Whoever opens a Store closes it.
func Open(options Options) (*Store, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("boltstore: options: %w", err)
	}
	db, err := openFile(options.Path, options.LockTimeout)
	if err != nil {
		return nil, fmt.Errorf("boltstore: %s: %w", options.Path, err)
	}
	return start(db, options), nil
}

// openFile returns the database at path, with every bucket of the layout in it.
func openFile(path string, lockTimeout time.Duration) (*bolt.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := checkWhole(path, lockTimeout); err != nil {
		return nil, err
	}
	db, err := openBolt(path, &bolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bolt.FreelistMapType, // stays fast as free pages grow in number
		PageSize:     pageSize,
	})
	if err != nil {
		return nil, err
	}
	if err := checkFormat(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// pageSize is how large the pages of a new file are, in bytes; an existing one keeps its own. A record is some 500 bytes and a key 60,
// so that a tree of pages of 4 KiB, which is what bbolt takes of most systems, is two levels deeper among a million users than
// among a thousand, and here one.
const pageSize = 8 << 10

// openBolt opens the file with bbolt, and says in our words why that failed. bbolt trusts what it maps into
// memory: nonsense in the right places makes it fault or panic, which is caught here.
func openBolt(path string, options *bolt.Options) (db *bolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w (%v)", ErrDamaged, r)
		}
	}()
	db, err = bolt.Open(path, 0o600, options)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrInUse
	case err == nil:
		return db, nil
	}
	if refused, is := errors.AsType[*fs.PathError](err); is { // by the operating system, rather than by bbolt
		return nil, refused.Err // the path is named by Open
	}
	return nil, fmt.Errorf("%w (%w)", ErrDamaged, err)
}

// checkWhole returns ErrDamaged if there is a file that is shorter than its own account of it, as after a copy that
// broke off. It opens the file for reading only, which touches no more of it than that account.
func checkWhole(path string, lockTimeout time.Duration) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (info.Size() == 0 || info.IsDir()) {
		return nil // a file to be made; what is wrong with a folder will be said when that is tried
	}
	db, err := openBolt(path, &bolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if err != nil {
		return err
	}
	err = db.View(func(tx *bolt.Tx) error {
		info, err := os.Stat(path)
		if err == nil && info.Size() < tx.Size() {
			return fmt.Errorf("%w (it has %d bytes of %d)", ErrDamaged, info.Size(), tx.Size())
		}
		return err
	})
	return errors.Join(err, db.Close())
}

// checkFormat refuses the file of another program or of a newer Postern, and furnishes a new one.
func checkFormat(db *bolt.DB) error {
	empty := false
	err := db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			first, _ := tx.Cursor().First()
			if empty = first == nil; !empty {
				return fmt.Errorf("%w (another program made it)", ErrDamaged)
			}
			return nil
		}
		n := meta.Get(formatKey)
		if len(n) != 4 {
			return fmt.Errorf("%w (its format number is unreadable)", ErrDamaged)
		}
		if found := binary.BigEndian.Uint32(n); found > format {
			return fmt.Errorf("%w (its format is %d, this version knows up to %d)", ErrNewerFormat, found, format)
		}
		return nil
	})
	if empty {
		return db.Update(furnish)
	}
	return err
}

// furnish makes the buckets of an empty file.
func furnish(tx *bolt.Tx) error {
	for _, name := range [][]byte{metaBucket, recordBucket, indexBucket, logBucket, rateBucket, outcomeBucket, deadlineBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(metaBucket).Put(formatKey, binary.BigEndian.AppendUint32(nil, format))
}

// syncFolder makes the file's name as durable as its content. Windows has no such call and needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
