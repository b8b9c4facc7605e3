package assembly_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestCheckEmptied holds that a store's file which was emptied is no new one: beside a master key it had something in it.
func TestCheckEmptied(t *testing.T) {
	folder := t.TempDir()
	file, key := filepath.Join(folder, "postern.db"), filepath.Join(folder, assembly.MasterKeyFile)
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, emptied bool) {
		t.Helper()
		if err := assembly.CheckEmptied(folder, file); (err != nil) != emptied || emptied && !strings.Contains(err.Error(), file+" is empty") {
			t.Errorf("CheckEmptied %s = %v; want a failure: %v", when, err, emptied)
		}
	}
	check("of a new folder", false)
	write(file, "")
	check("of a file that somebody made beforehand", false)
	write(key, "key")
	check("of an empty file beside a key", true)
	write(file, "data")
	check("of a file with something in it", false)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	check("of a file that was moved away", false)
}

// TestFirstMasterKey makes a key for a store that is empty, keeps it, and makes none in the place of one that was lost.
func TestFirstMasterKey(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, assembly.MasterKeyFile)
	store := teststore.Bolt(t)
	empty := func() bool {
		t.Helper()
		is, err := core.IsEmpty(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if err := assembly.FirstMasterKey(folder, empty()); err != nil {
		t.Fatal(err)
	}
	key, err := assembly.ReadMasterKey(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := core.New(core.Options{Store: store, MasterKey: key})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := c.ManagementKeys.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetUp(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if err := assembly.FirstMasterKey(folder, empty()); err != nil {
		t.Errorf("with its key there, FirstMasterKey = %v", err)
	}
	if again, err := assembly.ReadMasterKey(file); err != nil || again.ID() != key.ID() {
		t.Errorf("the key that was there is another now: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := assembly.FirstMasterKey(folder, empty()); err == nil || !strings.Contains(err.Error(), file+" is missing") {
		t.Errorf("with its key lost, FirstMasterKey = %v; want it to say so", err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("there is a key in the place of the lost one (%v)", err)
	}
}
