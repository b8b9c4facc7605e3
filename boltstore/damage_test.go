package boltstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// manyPages returns a Store with a thousand records, and the names of these in order.
func manyPages(t *testing.T) (s *Store, names []string) {
	s, _ = openCommitter(t)
	for i := range 1000 {
		names = append(names, fmt.Sprintf("k%04d", i))
	}
	for id, some := range [][]string{names[:500], names[500:]} {
		tx := &core.Transaction{ID: fmt.Sprint(id)}
		for _, name := range some[:core.MaxOperations] {
			tx.Put = append(tx.Put, core.Put{Name: name, Value: make([]byte, 300)})
		}
		if _, err := s.Apply(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	return s, names
}

// pageOf returns the number of the page on which a record is.
func pageOf(t *testing.T, s *Store, name string) int {
	content, err := os.ReadFile(s.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	_ = s.db.View(func(tx *bolt.Tx) error {
		size := s.db.Info().PageSize
		for id := range len(content) / size {
			info, err := tx.Page(id)
			if err == nil && info != nil && info.Type == "leaf" && bytes.Contains(content[id*size:(id+1+info.OverflowCount)*size], []byte(name)) {
				found = id
			}
		}
		return nil
	})
	if found == 0 {
		t.Fatalf("record %s is on no page", name)
	}
	return found
}

// TestDamagedNeighbour damages a page and empties the one after it, which makes bbolt look at its neighbour as late as in the commit. That
// costs those writes their success, and nobody else anything.
func TestDamagedNeighbour(t *testing.T) {
	s, names := manyPages(t)
	const at = 500
	damaged := pageOf(t, s, names[at])
	f, err := os.OpenFile(s.db.Path(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff, 0xff}, int64(damaged)*int64(s.db.Info().PageSize)+8); err != nil { // what kind of page it is
		t.Fatal(err)
	}
	refused := 0
	for i := at; i < at+100; i++ {
		_, err := s.Apply(t.Context(), &core.Transaction{ID: fmt.Sprint("delete", i), Delete: []string{names[i]}})
		if err != nil && !errors.Is(err, errGarbled) {
			t.Fatalf("Apply beside a damaged page = %v; want errGarbled", err)
		}
		if errors.Is(err, core.ErrOutcomeUnknown) {
			refused++ // in the commit
		}
	}
	if refused == 0 {
		t.Error("no commit met the damaged page")
	}
	if r, err := s.Get(t.Context(), core.Key{Name: names[0]}); err != nil || r[0].Version == 0 {
		t.Errorf("Get of another page = %+v, %v; want the record", r, err)
	}
	if _, err := s.Apply(t.Context(), &core.Transaction{ID: "put", Put: []core.Put{{Name: names[0], Value: []byte("new")}}}); err != nil {
		t.Errorf("Apply to another page = %v; want it done", err)
	}
}

// TestUnreadablePages cuts the file short while it is open, which is how a disk looks that cannot read a part of it: the system faults whoever
// touches that. It costs them their answer, and nobody else anything.
func TestUnreadablePages(t *testing.T) {
	s, names := manyPages(t)
	if err := os.Truncate(s.db.Path(), int64(s.db.Info().PageSize)*int64(pageOf(t, s, names[999]))); err != nil {
		t.Fatal(err)
	}
	unread := 0
	for _, name := range names {
		if _, err := s.Get(t.Context(), core.Key{Name: name}); errors.Is(err, errGarbled) {
			unread++
		} else if err != nil {
			t.Fatalf("Get(%s) = %v; want errGarbled", name, err)
		}
	}
	if unread == 0 {
		t.Error("every record could be read; want some that are beyond the end of the file")
	}
	if _, err := s.Apply(t.Context(), &core.Transaction{ID: "delete", Delete: names[999:]}); !errors.Is(err, errGarbled) {
		t.Errorf("Apply = %v; want errGarbled", err)
	}
}

// TestDamagedKeys flips a bit of each byte of a record's key in turn. Nobody is told that a record is missing which is there; those that are not found cost their
// callers an answer, and what was never there is still missing elsewhere.
func TestDamagedKeys(t *testing.T) {
	s, names := manyPages(t)
	const at = 500
	size := s.db.Info().PageSize
	page := int64(pageOf(t, s, names[at])) * int64(size)
	f, err := os.OpenFile(s.db.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := make([]byte, size)
	if _, err := f.ReadAt(content, page); err != nil {
		t.Fatal(err)
	}
	key := whereKey(core.Partition{}, names[at])
	place := page + int64(bytes.Index(content, key))
	for i := range key {
		for bit := range 8 {
			if _, err := f.WriteAt([]byte{key[i] ^ 1<<bit}, place+int64(i)); err != nil {
				t.Fatal(err)
			}
			for n := at - 20; n < at+20; n++ {
				r, err := s.Get(t.Context(), core.Key{Name: names[n]})
				if err == nil && r[0].Version == 0 || err != nil && !errors.Is(err, errGarbled) || n == at && err == nil {
					t.Fatalf("Get(%s) with bit %d of byte %d of the key of %s flipped = %+v, %v; want it, or errGarbled", names[n], bit, i, names[at], r, err)
				}
			}
		}
		if _, err := f.WriteAt(key[i:i+1], place+int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteAt([]byte{^content[bytes.Index(content, key)+len(key)]}, place+int64(len(key))); err != nil { // in its checksum
		t.Fatal(err)
	}
	for _, name := range []string{"k", "k0000x", "k0500x", "z"} {
		if r, err := s.Get(t.Context(), core.Key{Name: name}); err != nil || r[0].Version != 0 {
			t.Errorf("Get(%s) = %+v, %v; want nothing", name, r, err)
		}
	}
}

// TestLikeChecksums looks for a record whose key has the checksum of the one beside it. It is missing: were that an error, who makes such a name could tell
// whether there is a user of another.
func TestLikeChecksums(t *testing.T) {
	there, missing := likeChecksums()
	s, _ := openCommitter(t)
	if _, err := s.Apply(t.Context(), &core.Transaction{ID: "put", Put: []core.Put{{Name: there, Value: []byte("value")}}}); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Get(t.Context(), core.Key{Name: missing}); err != nil || r[0].Version != 0 {
		t.Errorf("Get(%s) beside %s = %+v, %v; want nothing", missing, there, r, err)
	}
	if r, err := s.Get(t.Context(), core.Key{Name: there}); err != nil || r[0].Version == 0 {
		t.Errorf("Get(%s) = %+v, %v; want the record", there, r, err)
	}
}

// likeChecksums returns two names of records whose keys have one checksum.
func likeChecksums() (one, other string) {
	names := map[uint32]string{}
	for i := 0; ; i++ {
		name := fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)}))
		checksum := sum(whereKey(core.Partition{}, name), nil)
		if one, found := names[checksum]; found {
			return one, name
		}
		names[checksum] = name
	}
}
