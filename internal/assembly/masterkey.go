package assembly

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/namedfile"
)

// Places of the master key in the data folder.
const (
	MasterKeyFile     = "master.key"
	nextMasterKeyFile = "master.key.new" // while it is being replaced
)

// ReadMasterKey reads the master key from a file, which nobody but its owner may be able to read.
func ReadMasterKey(file string) (*core.MasterKey, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the master key: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("the master key %s is a folder; name the file in it", file)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the master key %s can be read by others; run: chmod 600 %s", file, file)
	}
	text, err := namedfile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the master key: %w", err)
	}
	key, err := DecodeMasterKey(text)
	if err != nil {
		return nil, fmt.Errorf("the master key %s: %w", file, err)
	}
	return key, nil
}

// OwnMasterKey reads the master key in a data folder. Where its replacement was interrupted, what the next one sealed opens too.
func OwnMasterKey(folder string) (*core.MasterKey, error) {
	key, err := ReadMasterKey(filepath.Join(folder, MasterKeyFile))
	if err != nil {
		return nil, err
	}
	next, err := ReadMasterKey(filepath.Join(folder, nextMasterKeyFile))
	if errors.Is(err, os.ErrNotExist) {
		return key, nil
	} else if err != nil {
		return nil, err
	}
	return key.Replacing(next), nil
}

// FirstMasterKey makes a master key in a data folder unless there is one. Where the store is not empty (core.IsEmpty), what it holds was sealed
// under another: then none is made, which could be taken for that.
func FirstMasterKey(folder string, empty bool) error {
	file := filepath.Join(folder, MasterKeyFile)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && !empty {
		return LostMasterKey(file)
	}
	return EnsureMasterKey(file)
}

// CheckEmptied fails where an embedded store's file in a data folder has nothing in it, though the master key, which is made after it, lies there: something
// emptied it. Taken for a new store, it would sign everybody out.
func CheckEmptied(folder, file string) error {
	info, err := os.Stat(file)
	if err != nil || info.Size() > 0 || !info.Mode().IsRegular() {
		return nil // whoever opens it says what is wrong
	}
	if _, err := os.Stat(filepath.Join(folder, MasterKeyFile)); err != nil {
		return nil
	}
	return fmt.Errorf("%s is empty, and was not when its master.key was made; put a backup in its place, or move it away to start empty", file)
}

// LostMasterKey says that a master key is not where it was.
func LostMasterKey(file string) error {
	return fmt.Errorf("the master key %s is missing, and without it nobody can use the data; put the copy there that you keep", file)
}

// EnsureMasterKey makes a master key in file unless there is one.
func EnsureMasterKey(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	key := make([]byte, core.MasterKeySize)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	err := WriteSecretFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
	if errors.Is(err, os.ErrExist) {
		return nil // another process was faster
	}
	return err
}

// DecodeMasterKey reads 32 bytes from base64 or hex. White space around them does not count.
func DecodeMasterKey(text []byte) (*core.MasterKey, error) {
	text = bytes.TrimSpace(text)
	if key, err := hex.DecodeString(string(text)); err == nil && len(key) == core.MasterKeySize {
		return core.NewMasterKey(key)
	}
	if key, err := base64.StdEncoding.DecodeString(string(text)); err == nil && len(key) == core.MasterKeySize {
		return core.NewMasterKey(key)
	}
	return nil, fmt.Errorf("it must be %d random bytes in base64 or hex", core.MasterKeySize)
}
