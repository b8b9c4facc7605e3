package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/postern-auth/postern/core"
)

// errBadReply says that a script returned what it never does.
var errBadReply = errors.New("a reply of an unexpected form")

// Apply carries out a transaction; see core.Store.
func (s *Store) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	if err := tx.Validate(); err != nil {
		return core.Outcome{}, fmt.Errorf("redisstore: apply: %w", err)
	}
	what, announced := announcement(tx), ""
	if !unhurried(tx) || s.announcements.now(what) {
		announced = what
	}
	c := s.applyCall(tx, announced)
	defer c.free()
	err := s.run(ctx, action{name: "apply", write: true, repeats: true, durable: s.waits(tx.Durable)}, c)
	if announced != what && (err == nil || errors.Is(err, core.ErrOutcomeUnknown)) {
		s.announcements.later(what)
	}
	if err != nil {
		return core.Outcome{}, err
	}
	return readOutcome(c.reply, tx)
}

// applyCall spells tx out as apply.lua expects it, with what is to be announced.
func (s *Store) applyCall(tx *core.Transaction, announced string) *call {
	steps := len(tx.Require) + len(tx.Put) + len(tx.Delete) + len(tx.Index) + len(tx.Append) + len(tx.Reset)
	c := newCall(applyScript, 2+steps, 12+2*steps, len(tx.Put)+len(tx.Append))
	at := s.keys.in(tx.Partition).within(&c.room, 2+steps, sizeOfTexts(tx))
	c.key(at.outcome(tx.ID))
	c.key(at.version())
	c.arg(&tx.ID, floor(tx.Now), core.OutcomeLifetime.Milliseconds(), s.keys.wake(), announced, s.waits(tx.Durable),
		len(tx.Require), len(tx.Put), len(tx.Delete), len(tx.Index), len(tx.Append), len(tx.Reset))
	for _, r := range tx.Require {
		c.add(at.record(r.Name), r.Version)
	}
	for i := range tx.Put {
		put := &tx.Put[i]
		c.key(at.record(put.Name))
		c.text(at.kept(put))
		c.arg(lifetime(put.Expires, tx.Now))
	}
	for _, name := range tx.Delete {
		c.add(at.record(name))
	}
	for i := range tx.Index {
		change := &tx.Index[i]
		c.add(at.index(change.Index), sign(change), &change.Member)
	}
	for _, entry := range tx.Append {
		c.key(at.log(entry.Log))
		c.text(at.text(entry.Data))
		c.arg(entry.Keep)
	}
	for _, name := range tx.Reset {
		c.add(at.bucket(name))
	}
	return c
}

// sizeOfTexts returns about how many bytes the values and entries of tx have, as they are sent.
func sizeOfTexts(tx *core.Transaction) int {
	size := 0
	for i := range tx.Put {
		size += len(tx.Put[i].Value) + usualHead
	}
	for i := range tx.Append {
		size += len(tx.Append[i].Data)
	}
	return size
}

// versionEpoch is where floor begins to count: 2025-01-01, in milliseconds.
const versionEpoch = 1_735_689_600_000

// floor returns the lowest version to give at a time. Versions grow by one, or jump to the time: so a server
// that lost its newest writes, in a failover or with an older backup, does not give their versions once more
// to something else, which a precondition would take for what it saw.
func floor(now time.Time) int64 {
	return min(max(now.UnixMilli()-versionEpoch, 0), 1<<52) // Lua counts in 53 bits
}

// lifetime returns for how many milliseconds a record is kept, 0 = for ever.
func lifetime(expires, now time.Time) int64 {
	if expires.IsZero() {
		return 0
	}
	return max(expires.UnixMilli()-now.UnixMilli()+core.ExpirySlack.Milliseconds(), 1)
}

// The signs of changes to an index.
var plus, minus = "+", "-"

// sign returns one by a pointer, which costs no allocation.
func sign(change *core.IndexChange) *string {
	if change.Remove {
		return &minus
	}
	return &plus
}

// readOutcome reads the reply of apply.lua.
func readOutcome(reply []any, tx *core.Transaction) (core.Outcome, error) {
	if len(reply) != 2 {
		return core.Outcome{}, fmt.Errorf("redisstore: apply: %w", errBadReply)
	}
	if failed, ok := reply[1].(int64); ok && reply[0] == "conflict" && failed >= 1 && failed <= int64(len(tx.Require)) {
		return core.Outcome{}, &core.ConflictError{Key: core.Key{Partition: tx.Partition, Name: tx.Require[failed-1].Name}}
	}
	text, _ := reply[1].(string)
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil || reply[0] != "done" && reply[0] != "again" {
		return core.Outcome{}, fmt.Errorf("redisstore: apply: %w", errBadReply)
	}
	return core.Outcome{Version: version, Repeated: reply[0] == "again"}, nil
}
