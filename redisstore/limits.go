package redisstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/core"
)

// What core.Store's text bounds without a constant.
const (
	maxPartition = 3843 // number of a realm's last partition
	maxSchema    = 999
	maxOperation = 64 // characters of an operation id

	// maxFill is the longest that a rate bucket may take to fill up. Lua counts in 53 bits, so that times
	// in microseconds stay exact for a century to come.
	maxFill = 100 * 365 * 24 * time.Hour
)

// checkPlace returns what is wrong with the name of some thing or with its partition, if anything.
func checkPlace(thing string, p core.Partition, name string) error {
	if err := checkPartition(p); err != nil {
		return err
	}
	return checkName(thing, name)
}

// checkPartition returns what is wrong with p, if anything. That realms stay apart in Redis rests on it.
func checkPartition(p core.Partition) error {
	if p.Number < 0 || p.Number > maxPartition || p.Realm == "" && p.Number != 0 {
		return fmt.Errorf("there is no partition %d of realm %q", p.Number, p.Realm)
	}
	if p.Realm == "" {
		return nil
	}
	return checkName("realm", string(p.Realm))
}

// checkName returns what is wrong with the name of some thing, if anything.
func checkName(thing, name string) error {
	if name == "" || len(name) > core.MaxKeyLength {
		return fmt.Errorf("name of %s has %d bytes; 1 to %d are allowed", thing, len(name), core.MaxKeyLength)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '{' || c == '}' {
			return fmt.Errorf("name of %s holds byte %#x; printable ASCII without space and braces is allowed", thing, c)
		}
	}
	return nil
}

// checkTransaction returns every way in which tx breaks the contract's bounds, joined.
func checkTransaction(tx *core.Transaction) error {
	n := len(tx.Require) + len(tx.Put) + len(tx.Delete) + len(tx.Index) + len(tx.Append) + len(tx.Reset)
	if n > core.MaxOperations {
		return fmt.Errorf("transaction has %d operations; at most %d are allowed", n, core.MaxOperations)
	}
	errs := []error{checkPartition(tx.Partition), checkName("operation", tx.ID)}
	note := func(err error) { errs = append(errs, err) }
	if len(tx.ID) > maxOperation {
		note(fmt.Errorf("operation id has %d characters; at most %d are allowed", len(tx.ID), maxOperation))
	}
	for _, p := range tx.Require {
		note(checkName("record", p.Name))
	}
	for _, p := range tx.Put {
		note(checkPut(p))
	}
	for _, name := range tx.Delete {
		note(checkName("record", name))
	}
	for _, c := range tx.Index {
		note(checkName("index", c.Index))
		if n := len(c.Member); n == 0 || n > core.MaxKeyLength {
			note(fmt.Errorf("member of index %s has %d bytes; 1 to %d are allowed", c.Index, n, core.MaxKeyLength))
		}
	}
	for _, a := range tx.Append {
		note(checkAppend(a))
	}
	for _, name := range tx.Reset {
		note(checkName("bucket", name))
	}
	return errors.Join(errs...)
}

func checkPut(p core.Put) error {
	if len(p.Value) > core.MaxValueSize {
		return fmt.Errorf("value of record %s has %d bytes; at most %d are allowed", p.Name, len(p.Value), core.MaxValueSize)
	}
	if p.Schema < 0 || p.Schema > maxSchema {
		return fmt.Errorf("schema of record %s is %d; 0 to %d are allowed", p.Name, p.Schema, maxSchema)
	}
	return checkName("record", p.Name)
}

func checkAppend(a core.Append) error {
	if len(a.Data) > core.MaxValueSize {
		return fmt.Errorf("entry for log %s has %d bytes; at most %d are allowed", a.Log, len(a.Data), core.MaxValueSize)
	}
	if a.Keep < 1 {
		return fmt.Errorf("log %s is to keep %d entries; at least 1 is needed", a.Log, a.Keep)
	}
	return checkName("log", a.Log)
}

// checkRange returns what is wrong with r, if anything.
func checkRange(r core.Range) error {
	if r.Limit < 1 || r.Limit > core.MaxRange {
		return fmt.Errorf("limit is %d; 1 to %d are allowed", r.Limit, core.MaxRange)
	}
	return checkPlace("index", r.Index.Partition, r.Index.Name)
}

// checkRate returns what is wrong with a rate, if anything.
func checkRate(r core.Rate) error {
	if r.Burst < 1 || r.Every < time.Microsecond {
		return fmt.Errorf("rate is %d, one every %v; at least 1, one every 1µs, is needed", r.Burst, r.Every)
	}
	if int64(r.Burst) > int64(maxFill/r.Every) {
		return fmt.Errorf("rate is %d, one every %v; it would take more than %v to fill up", r.Burst, r.Every, maxFill)
	}
	return nil
}
