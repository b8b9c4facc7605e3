package boltstore

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// A record as it is stored, and its key.
func storedRecord() (key, value []byte) {
	key = whereKey(core.Partition{Realm: "rl_1"}, "user")
	r := core.Record{Value: []byte(`{"id":"usr_1"}`), Schema: 7, Version: 42, Expires: time.UnixMilli(1_700_000_000_123)}
	return key, encodeRecord(key, r, 99)
}

func TestDecodeDamagedRecord(t *testing.T) {
	key, value := storedRecord()
	for n := range value {
		if r, _, err := decodeRecord(key, value[:n]); !errors.Is(err, errGarbled) {
			t.Errorf("decodeRecord(first %d bytes) = %+v, %v; want errGarbled", n, r, err)
		}
	}
	for i := range value {
		damaged := bytes.Clone(value)
		damaged[i] ^= 0x10
		if r, _, err := decodeRecord(key, damaged); !errors.Is(err, errGarbled) {
			t.Errorf("decodeRecord(byte %d flipped) = %+v, %v; want errGarbled", i, r, err)
		}
	}
	if r, _, err := decodeRecord([]byte("another key"), value); !errors.Is(err, errGarbled) {
		t.Errorf("decodeRecord(under another key) = %+v, %v; want errGarbled", r, err)
	}
}

// FuzzDecodeRecord: whatever is read as a record is what encodeRecord writes for it. sealed repairs the
// checksum, so that what lies behind it is tried too.
func FuzzDecodeRecord(f *testing.F) {
	key, value := storedRecord()
	f.Add(key, value, false)
	f.Add(key, value[:len(value)-1], false)
	f.Add(key, value[:12], true)
	f.Add(key, make([]byte, sumLength+recordHeader), true)
	f.Add([]byte(nil), []byte(nil), false)
	f.Fuzz(func(t *testing.T, key, value []byte, sealed bool) {
		if sealed && len(value) >= sumLength {
			value = seal(key, bytes.Clone(value))
		}
		r, d, err := decodeRecord(key, value)
		if err != nil {
			if !errors.Is(err, errGarbled) || r.Version != 0 || r.Value != nil {
				t.Errorf("decodeRecord(%q, %q) = %+v, %v; want errGarbled and no record", key, value, r, err)
			}
			return
		}
		if again := encodeRecord(key, r, d); !bytes.Equal(again, value) {
			t.Errorf("decodeRecord(%q, %q) = %+v, which is written as %q", key, value, r, again)
		}
	})
}

// FuzzDecodeEntry is the same for entries of a log.
func FuzzDecodeEntry(f *testing.F) {
	key := entryKey(listPrefix(core.Partition{}, "events"), 3)
	value := encodeEntry(key, "operation", []byte("data"))
	f.Add(key, value, false)
	f.Add(key, value[:8], true)
	f.Fuzz(func(t *testing.T, key, value []byte, sealed bool) {
		if sealed && len(value) >= sumLength {
			value = seal(key, bytes.Clone(value))
		}
		operation, data, err := decodeEntry(key, value)
		if err != nil {
			if !errors.Is(err, errGarbled) || operation != "" || data != nil {
				t.Errorf("decodeEntry(%q, %q) = %q, %q, %v; want errGarbled and no entry", key, value, operation, data, err)
			}
			return
		}
		if again := encodeEntry(key, operation, data); !bytes.Equal(again, value) {
			t.Errorf("decodeEntry(%q, %q) = %q, %q, which is written as %q", key, value, operation, data, again)
		}
	})
}
