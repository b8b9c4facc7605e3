package boltstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
)

func TestOptions(t *testing.T) {
	_, err := boltstore.Open(boltstore.Options{LockTimeout: -time.Second})
	for _, complaint := range []string{"path", "LockTimeout"} {
		if err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("Open = %v; want a complaint about %s", err, complaint)
		}
	}
}

func TestOpenMakesPrivateFile(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "var", "postern")
	path := filepath.Join(folder, "postern.db")
	s := open(t, path)
	for name, want := range map[string]os.FileMode{path: 0o600, folder: 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
	if fitness, err := s.Check(t.Context()); err != nil || len(fitness.Findings) != 0 {
		t.Errorf("Check = %+v, %v; want nothing found", fitness, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	fitness, err := s.Check(t.Context())
	if err != nil || len(fitness.Findings) != 1 || fitness.Findings[0].Code != "file_mode" || fitness.Findings[0].Refuse {
		t.Errorf("Check = %+v, %v; want a warning about the file's mode", fitness, err)
	}
}

// TestAnotherFile takes the file away under a store, and puts a copy in its place, as somebody does who restores a backup and forgot to stop the server. Check says so,
// and nothing is acknowledged that would be gone with the process.
func TestAnotherFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	s := open(t, path)
	write := func(when string, done bool) {
		t.Helper()
		_, err := s.Apply(t.Context(), &core.Transaction{ID: when, Put: []core.Put{{Name: "n", Value: []byte("x")}}})
		if (err == nil) != done || !done && (!errors.Is(err, core.ErrUnavailable) || errors.Is(err, core.ErrOutcomeUnknown)) {
			t.Errorf("Apply %s = %v; want it done: %v", when, err, done)
		}
	}
	write("before", true)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if fitness, err := s.Check(t.Context()); err == nil {
		t.Errorf("Check without the file = %+v; want a failure", fitness)
	}
	write("without", false)
	if err := os.WriteFile(path, wholeFile(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if fitness, err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "another file") {
		t.Errorf("Check with another file = %+v, %v; want it said", fitness, err)
	}
	write("beside", false)
	if r, err := s.Get(t.Context(), core.Key{Name: "n"}); err != nil || r[0].Version == 0 {
		t.Errorf("Get = %+v, %v; want what was there", r, err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(t.Context()); err != nil {
		t.Errorf("Check with the file back = %v", err)
	}
	write("back", true)
}

// TestOpening holds that each opening of a file is told from all before it, and that all over one hear the same.
func TestOpening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	var openings []string
	for range 2 {
		s := open(t, path)
		for range 2 {
			fitness, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			openings = append(openings, fitness.Opening)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if openings[0] == "" || openings[0] != openings[1] || openings[2] != openings[3] || openings[0] == openings[2] {
		t.Errorf("Check tells the openings %q; want two alike, and then two others alike", openings)
	}
}

const pageSize = 8 << 10 // of a new file

// TestOpenOtherPages opens files whose pages are as large as on other systems, and with other versions: they stay so.
func TestOpenOtherPages(t *testing.T) {
	for _, size := range []int{4 << 10, 16 << 10} {
		path := filepath.Join(t.TempDir(), "postern.db")
		db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: size})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		key := core.Key{Name: "it"}
		for version := range uint64(3) {
			s, err := boltstore.Open(boltstore.Options{Path: path})
			if err != nil {
				t.Fatalf("Open of a file with pages of %d bytes = %v", size, err)
			}
			if got, err := s.Get(t.Context(), key); err != nil || got[0].Version != version {
				t.Errorf("with pages of %d bytes, Get = %+v, %v; want version %d", size, got, err, version)
			}
			tx := &core.Transaction{ID: fmt.Sprint(version), Now: time.Now(), Put: []core.Put{{Name: key.Name, Value: make([]byte, 3*size)}}}
			if _, err := s.Apply(t.Context(), tx); err != nil {
				t.Errorf("with pages of %d bytes, Apply = %v", size, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		db, err = bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if got := db.Info().PageSize; got != size {
			t.Errorf("a file with pages of %d bytes has some of %d", size, got)
		}
	}
}

// TestOpenRefuses opens files that are not, or no longer, what this version writes.
func TestOpenRefuses(t *testing.T) {
	whole := wholeFile(t)
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"text":              {[]byte(strings.Repeat("this is no database\n", 1000)), boltstore.ErrDamaged},
		"short":             {[]byte("x"), boltstore.ErrDamaged},
		"zeros":             {make([]byte, 1<<16), boltstore.ErrDamaged},
		"first page only":   {whole[:pageSize], boltstore.ErrDamaged},
		"metas only":        {whole[:2*pageSize], boltstore.ErrDamaged},
		"first half":        {whole[:len(whole)/2], boltstore.ErrDamaged},
		"metas overwritten": {append(make([]byte, 2*pageSize), whole[2*pageSize:]...), boltstore.ErrDamaged},
		"another program's": {boltFile(t, "todo", "", nil), boltstore.ErrDamaged},
		"no format":         {boltFile(t, "meta", "", nil), boltstore.ErrDamaged},
		"garbled format":    {boltFile(t, "meta", "format", []byte("1")), boltstore.ErrDamaged},
		"newer format":      {boltFile(t, "meta", "format", []byte{0, 0, 0, 2}), boltstore.ErrNewerFormat},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "postern.db")
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a refusal lets go of the file
				s, err := boltstore.Open(boltstore.Options{Path: path, LockTimeout: 50 * time.Millisecond})
				if s != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
					t.Fatalf("Open = %v; want %q about %s", err, c.want, path)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, c.content) {
				t.Errorf("the file changed, %v; want it left alone", err)
			}
		})
	}
}

// TestOpenFolder opens what the operating system will not.
func TestOpenFolder(t *testing.T) {
	s, err := boltstore.Open(boltstore.Options{Path: t.TempDir()})
	if s != nil || err == nil || errors.Is(err, boltstore.ErrDamaged) {
		t.Errorf("Open(folder) = %v; want what the operating system says", err)
	}
}

// TestOpenEmptyFile opens what is left of a first start that was cut off.
func TestOpenEmptyFile(t *testing.T) {
	for name, content := range map[string][]byte{"no bytes": nil, "no buckets": boltFile(t, "", "", nil)} {
		path := filepath.Join(t.TempDir(), "postern.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := open(t, path).Get(t.Context(), core.Key{Name: "a"}); err != nil || r[0].Version != 0 {
			t.Errorf("%s: Get = %+v, %v; want an empty store", name, r, err)
		}
	}
}

// wholeFile returns the content of a sound file of some size.
func wholeFile(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "whole.db")
	s := open(t, path)
	for _, id := range []string{"one", "two", "three"} {
		put := core.Put{Name: id, Value: make([]byte, core.MaxValueSize)}
		if _, err := s.Apply(t.Context(), &core.Transaction{ID: id, Put: []core.Put{put}}); err != nil {
			t.Fatalf("Apply = %v; want it done", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close = %v; want it closed", err)
	}
	return content(t, path)
}

// boltFile returns the content of a bbolt file with one bucket and one key in it, where they are not "".
func boltFile(t *testing.T, bucket, key string, value []byte) []byte {
	path := filepath.Join(t.TempDir(), "bolt.db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		if bucket == "" {
			return nil
		}
		b, err := tx.CreateBucket([]byte(bucket))
		if err != nil || key == "" {
			return err
		}
		return b.Put([]byte(key), value)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return content(t, path)
}

func content(t *testing.T, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
