package sidecar

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
	"github.com/postern-auth/postern/internal/assembly"
)

// masterKeyFile is the master key's place in the data folder.
const masterKeyFile = "master.key"

// masterKey reads the master key, and makes one where that is allowed: for the embedded store, whose data
// lies beside it, and for development.
func (o *Options) masterKey() (*core.MasterKey, error) {
	file := o.MasterKeyFile
	if file == "" {
		file = filepath.Join(o.Data, masterKeyFile)
		if err := ensureMasterKey(file); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the master key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the master key %s can be read by others; run: chmod 600 %s", file, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the master key: %w", err)
	}
	key, err := decodeMasterKey(text)
	if err != nil {
		return nil, fmt.Errorf("the master key %s: %w", file, err)
	}
	return core.NewMasterKey(key)
}

// ensureMasterKey makes a master key unless there is one.
func ensureMasterKey(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	key := make([]byte, core.MasterKeySize)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	err := assembly.WriteSecretFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
	if errors.Is(err, os.ErrExist) {
		return nil // another process was faster
	}
	return err
}

// decodeMasterKey reads 32 bytes from base64 or hex.
func decodeMasterKey(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	if key, err := hex.DecodeString(string(text)); err == nil && len(key) == core.MasterKeySize {
		return key, nil
	}
	if key, err := base64.StdEncoding.DecodeString(string(text)); err == nil && len(key) == core.MasterKeySize {
		return key, nil
	}
	return nil, fmt.Errorf("it must be %d random bytes in base64 or hex", core.MasterKeySize)
}
