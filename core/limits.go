package core

import (
	"errors"
	"fmt"
	"time"
)

// The contract's bounds that a caller need not know by name.
const (
	maxPartition = bucketCount - 1 // number of a realm's last partition

	maxOperation = 64 // characters of an operation id

	// maxFill is the longest that a rate bucket may take to fill up: in microseconds it stays exact in 53 bits.
	maxFill = 100 * 365 * 24 * time.Hour
)

// Validate returns what is wrong with p, if anything. That realms stay apart in a store rests on it.
func (p Partition) Validate() error {
	if p.Number < 0 || p.Number > maxPartition || p.Realm == "" && p.Number != 0 {
		return fmt.Errorf("there is no partition %d of realm %q", p.Number, p.Realm)
	}
	if p.Realm == "" {
		return nil
	}
	return validName("realm", string(p.Realm))
}

// Validate returns what is wrong with k, if anything.
func (k Key) Validate() error { return validPlace("record", k.Partition, k.Name) }

// Validate returns what is wrong with i, if anything.
func (i Index) Validate() error { return validPlace("index", i.Partition, i.Name) }

// Validate returns what is wrong with l, if anything.
func (l Log) Validate() error { return validPlace("log", l.Partition, l.Name) }

// Validate returns what is wrong with b, if anything.
func (b Bucket) Validate() error { return validPlace("bucket", b.Partition, b.Name) }

// String returns "<partition> <name>".
func (k Key) String() string { return k.Partition.String() + " " + k.Name }

// String returns "<partition> <name>".
func (i Index) String() string { return i.Partition.String() + " " + i.Name }

// String returns "<partition> <name>".
func (l Log) String() string { return l.Partition.String() + " " + l.Name }

// String returns "<partition> <name>".
func (b Bucket) String() string { return b.Partition.String() + " " + b.Name }

// validPlace returns what is wrong with a partition or a name in it.
func validPlace(thing string, p Partition, name string) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return validName(thing, name)
}

// validName returns what is wrong with the name of some thing, if anything.
func validName(thing, name string) error {
	if name == "" || len(name) > MaxKeyLength {
		return fmt.Errorf("name of %s has %d bytes; 1 to %d are allowed", thing, len(name), MaxKeyLength)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '{' || c == '}' {
			return fmt.Errorf("name of %s holds byte %#x; printable ASCII without space and braces is allowed", thing, c)
		}
	}
	return nil
}

// operations counts what a Transaction asks for.
func (tx *Transaction) operations() int {
	return len(tx.Require) + len(tx.Put) + len(tx.Delete) + len(tx.Index) + len(tx.Append) + len(tx.Reset)
}

// Validate returns every way in which tx breaks the contract's bounds, joined.
func (tx *Transaction) Validate() error {
	if n := tx.operations(); n > MaxOperations {
		return fmt.Errorf("transaction has %d operations; at most %d are allowed", n, MaxOperations)
	}
	errs := []error{tx.Partition.Validate(), validName("operation", tx.ID)}
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(tx.ID) > maxOperation {
		note(fmt.Errorf("operation id has %d characters; at most %d are allowed", len(tx.ID), maxOperation))
	}
	for _, p := range tx.Require {
		note(validName("record", p.Name))
	}
	for _, p := range tx.Put {
		note(p.validate())
	}
	for _, name := range tx.Delete {
		note(validName("record", name))
	}
	for _, c := range tx.Index {
		note(c.validate())
	}
	for _, a := range tx.Append {
		note(a.validate())
	}
	for _, name := range tx.Reset {
		note(validName("bucket", name))
	}
	return errors.Join(errs...)
}

// lastExpiry is the latest that a record may expire: what every store can count to.
var lastExpiry = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

func (p Put) validate() error {
	if p.Expires.After(lastExpiry) {
		return fmt.Errorf("record %s expires in the year %d; 9999 is the last", p.Name, p.Expires.Year())
	}
	if len(p.Value) > MaxValueSize {
		return fmt.Errorf("value of record %s has %d bytes; at most %d are allowed", p.Name, len(p.Value), MaxValueSize)
	}
	if p.Schema < 0 || p.Schema > MaxSchema {
		return fmt.Errorf("schema of record %s is %d; 0 to %d are allowed", p.Name, p.Schema, MaxSchema)
	}
	return validName("record", p.Name)
}

func (c IndexChange) validate() error {
	if n := len(c.Member); n == 0 || n > MaxKeyLength {
		return fmt.Errorf("member of index %s has %d bytes; 1 to %d are allowed", c.Index, n, MaxKeyLength)
	}
	return validName("index", c.Index)
}

func (a Append) validate() error {
	if len(a.Data) > MaxValueSize {
		return fmt.Errorf("entry for log %s has %d bytes; at most %d are allowed", a.Log, len(a.Data), MaxValueSize)
	}
	if a.Keep < 1 {
		return fmt.Errorf("log %s is to keep %d entries; at least 1 is needed", a.Log, a.Keep)
	}
	return validName("log", a.Log)
}

// Validate returns what is wrong with r, if anything.
func (r Range) Validate() error {
	if r.Limit < 1 || r.Limit > MaxRange {
		return fmt.Errorf("limit is %d; 1 to %d are allowed", r.Limit, MaxRange)
	}
	return r.Index.Validate()
}

// Validate returns what is wrong with r, if anything.
func (r Rate) Validate() error {
	if r.Burst < 1 || r.Every < time.Microsecond {
		return fmt.Errorf("rate is %d, one every %s; at least 1, one every 1µs, is needed", r.Burst, r.Every)
	}
	if int64(r.Burst) > int64(maxFill/r.Every) {
		return fmt.Errorf("rate is %d, one every %s; it would take more than %s to fill up", r.Burst, r.Every, maxFill)
	}
	return nil
}
