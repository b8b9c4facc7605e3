package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/postern-auth/postern/core"
)

// errGarbled says that a value is not what was once written under its key.
var errGarbled = errors.New("a stored value is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumLength = 4

// sum returns the checksum of a value's content under key, so that a value under the wrong key is noticed too.
func sum(key, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, content)
}

// unseal returns the content of a value, which is at least so many bytes long, once its checksum is verified.
func unseal(key, value []byte, atLeast int) ([]byte, error) {
	if len(value) < sumLength+atLeast {
		return nil, fmt.Errorf("%w: %q holds %d bytes", errGarbled, key, len(value))
	}
	content := value[sumLength:]
	if binary.BigEndian.Uint32(value) != sum(key, content) {
		return nil, fmt.Errorf("%w: %q does not match its checksum", errGarbled, key)
	}
	return content, nil
}

// seal writes the checksum into the space that value begins with, and returns value.
func seal(key, value []byte) []byte {
	binary.BigEndian.PutUint32(value, sum(key, value[sumLength:]))
	return value
}

// unsealed returns an empty value with space for its checksum and for size bytes of content.
func unsealed(size int) []byte {
	return make([]byte, sumLength, sumLength+size)
}

const recordHeader = 8 + 2 + 8 + 8

// encodeRecord returns the value that keeps r under key. d is 0 exactly if r never expires.
func encodeRecord(key []byte, r core.Record, d deadline) []byte {
	value := unsealed(recordHeader + len(r.Value))
	value = binary.BigEndian.AppendUint64(value, r.Version)
	value = binary.BigEndian.AppendUint16(value, uint16(r.Schema))
	expires := int64(0)
	if d != 0 {
		expires = r.Expires.UnixMilli()
	}
	value = binary.BigEndian.AppendUint64(value, uint64(expires))
	value = binary.BigEndian.AppendUint64(value, uint64(d))
	return seal(key, append(value, r.Value...))
}

// decodeRecord reads what encodeRecord wrote. The record's Value is a copy. It returns an error that wraps errGarbled
// for anything that encodeRecord did not write under this key.
func decodeRecord(key, value []byte) (core.Record, deadline, error) {
	content, err := unseal(key, value, recordHeader)
	if err != nil {
		return core.Record{}, 0, err
	}
	r := core.Record{
		Version: binary.BigEndian.Uint64(content),
		Schema:  int(binary.BigEndian.Uint16(content[8:])),
		Value:   slices.Clone(content[recordHeader:]),
	}
	expires := int64(binary.BigEndian.Uint64(content[10:]))
	d := deadline(binary.BigEndian.Uint64(content[18:]))
	if r.Version == 0 || r.Schema > core.MaxSchema || d < 0 || d == 0 && expires != 0 {
		return core.Record{}, 0, fmt.Errorf("%w: %q holds no record", errGarbled, key)
	}
	if d != 0 {
		r.Expires = time.UnixMilli(expires).UTC()
	}
	return r, d, nil
}

// encodeOutcome returns the value that keeps the outcome of an operation under key.
func encodeOutcome(key []byte, version uint64) []byte {
	return seal(key, binary.BigEndian.AppendUint64(unsealed(8), version))
}

// decodeOutcome reads what encodeOutcome wrote.
func decodeOutcome(key, value []byte) (version uint64, err error) {
	content, err := unseal(key, value, 8)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(content), nil
}

// encodeEntry returns the value that keeps a log's entry under key. An operation id is at most 64 bytes.
func encodeEntry(key []byte, operation string, data []byte) []byte {
	value := unsealed(1 + len(operation) + len(data))
	value = append(value, byte(len(operation)))
	value = append(value, operation...)
	return seal(key, append(value, data...))
}

// decodeEntry reads what encodeEntry wrote. data is part of value, not a copy.
func decodeEntry(key, value []byte) (operation string, data []byte, err error) {
	content, err := unseal(key, value, 1)
	if err != nil {
		return "", nil, err
	}
	end := 1 + int(content[0])
	if len(content) < end {
		return "", nil, fmt.Errorf("%w: %q holds %d bytes", errGarbled, key, len(value))
	}
	return string(content[1:end]), content[end:], nil
}

// encodeRate returns the value that keeps, under key, when a rate bucket will be full.
func encodeRate(key []byte, full int64, d deadline) []byte {
	value := binary.BigEndian.AppendUint64(unsealed(16), uint64(full))
	return seal(key, binary.BigEndian.AppendUint64(value, uint64(d)))
}

// decodeRate reads what encodeRate wrote.
func decodeRate(key, value []byte) (full int64, d deadline, err error) {
	content, err := unseal(key, value, 16)
	if err != nil {
		return 0, 0, err
	}
	return int64(binary.BigEndian.Uint64(content)), deadline(binary.BigEndian.Uint64(content[8:])), nil
}
