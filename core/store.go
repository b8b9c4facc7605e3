package core

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bounds that every Store enforces and every caller may rely on.
const (
	MaxOperations = 500       // puts, deletes, index changes, log entries, resets and preconditions of one Transaction, together
	MaxValueSize  = 256 << 10 // bytes of one record's value, or of one log entry
	MaxSchema     = 999       // of a record's value
	MaxKeyLength  = 512       // bytes of a key, index member, log, bucket or operation name
	MaxRange      = 1000      // members that one Range returns
	MaxTail       = 1000      // entries that one Tail returns of one log

	// HearsayDelay is how much later than others unhurried entries of a log may wake a Tail that waits.
	HearsayDelay = 50 * time.Millisecond

	// OutcomeLifetime is for how long a repeated operation id is answered with its first outcome.
	OutcomeLifetime = 10 * time.Minute

	// ExpirySlack is how long after its Expires a record may be tidied away, by the store's own clock.
	ExpirySlack = 5 * time.Minute
)

// Store keeps what core decides. It knows records, ordered indexes, logs and rate buckets, and not
// what any of them mean: a new kind of record needs no change here.
//
// All methods are safe for concurrent use. They return an error that wraps ErrUnavailable when the
// store did not answer (nothing was decided), ErrOutcomeUnknown when a write was sent and its answer
// lost, and the context's error when ctx ended first. Anything else is a bug or a broken database.
//
// Two packages implement it, redisstore and boltstore; package storetest holds both to this text.
type Store interface {
	// Get returns one Record per key, in the order of the keys, which may lie in several partitions.
	// A record that is missing has Version 0. Records of one partition are read at one moment. An expired
	// record is returned like any other for as long as it is kept: core judges expiry, by its own clock.
	Get(ctx context.Context, keys ...Key) ([]Record, error)

	// Apply carries out a Transaction, all of it or nothing. If a precondition fails it returns a
	// *ConflictError that names the first one that did, in the order of tx.Require, and leaves nothing.
	//
	// A transaction whose ID was committed in its partition within the last OutcomeLifetime is not carried
	// out again: its first outcome is returned, with Repeated set, without looking at its preconditions.
	Apply(ctx context.Context, tx *Transaction) (Outcome, error)

	// Range returns members of an ordered index, as r says.
	Range(ctx context.Context, r Range) ([]string, error)

	// Hit takes one unit from a rate bucket (GCRA) at the given time, and says whether it was there to take.
	// A refused hit takes nothing. A bucket that was not hit for a while is full and takes no room.
	Hit(ctx context.Context, bucket Bucket, rate Rate, now time.Time) (Allowance, error)

	// Tail returns, for each of logs, what was appended after a position, oldest first. It answers
	// as soon as one of them has something, or after wait with nothing. Whatever was committed before Tail was
	// called is in the answer, up to MaxTail entries a log.
	Tail(ctx context.Context, logs []LogPosition, wait time.Duration) ([]Feed, error)

	// Check returns the store's clock and what makes this database unfit, or less than fit, to be a
	// system of record. It changes nothing.
	Check(ctx context.Context) (Fitness, error)

	// Local reports whether reading waits for no other process. Then several readings are done sooner one after the other than at
	// once: goroutines for them would run on processors that have nothing of the store in their caches.
	Local() bool

	// Close releases what the Store holds. Calls under way may fail.
	Close() error
}

// Partition is a part of the data within which a Transaction is atomic. In Redis it is a hash tag.
// The zero Partition is the system's own: realms, keys, environment guids.
type Partition struct {
	Realm  RealmID // "" for the system partition
	Number int     // 0 to 3843, and 0 for the system partition
}

// String returns "_" or "<realm>:<number>".
func (p Partition) String() string {
	if p.Realm == "" {
		return "_"
	}
	return string(p.Realm) + ":" + strconv.Itoa(p.Number)
}

// Key names a record within a partition. Names are built in keys.go and nowhere else; they are at most
// MaxKeyLength bytes of printable ASCII without space, '{' and '}'. So are the names of indexes, logs and buckets.
type Key struct {
	Partition
	Name string
}

// Index names an ordered index: a set of distinct members, byte strings of 1 to MaxKeyLength bytes, any
// byte allowed, ordered bytewise.
type Index struct {
	Partition
	Name string
}

// Log names an append-only log.
type Log struct {
	Partition
	Name string
}

// Bucket names a rate bucket.
type Bucket struct {
	Partition
	Name string
}

// Record is what a Store keeps under a Key.
type Record struct {
	Value   []byte    // JSON, to the store just bytes; the caller's to keep
	Schema  int       // of Value, 0 to MaxSchema
	Version uint64    // 0 = there is no such record; grows with each put, and is never used again for the same key
	Expires time.Time // whole milliseconds, UTC; zero = never
}

// Transaction is a set of changes within one partition that happen together or not at all. At
// most MaxOperations of them. They take effect in the order of the fields: what is put and deleted is gone.
type Transaction struct {
	Partition Partition
	ID        string    // of this operation, chosen by the caller at random, at most 64 characters; repeats must be byte for byte alike
	Now       time.Time // core's time, against which Expires is counted

	Require []Precondition
	Put     []Put
	Delete  []string // names of records; deleting what is missing is no error
	Index   []IndexChange
	Append  []Append
	Reset   []string // names of rate buckets to fill up again

	// Durable asks for the store's strongest acknowledgement, for changes whose loss would re-open an
	// account: revocations, spent tokens, password changes.
	Durable bool
}

// Precondition is what must hold of a record for a Transaction to happen. Version 0 means that the
// record must be absent.
type Precondition struct {
	Name    string
	Version uint64
}

// Put sets a record, whether or not it was there. A record with Expires set is kept for ExpirySlack
// beyond it, counted by the store's own clock from the Transaction's Now, and may then be tidied away.
type Put struct {
	Name    string
	Value   []byte
	Schema  int
	Expires time.Time // zero = never; at the latest at the end of the year 9999
}

// IndexChange adds a member to an ordered index, or removes it. Adding what is there and removing
// what is not are no errors.
type IndexChange struct {
	Index  string
	Member string
	Remove bool
}

// Append adds an entry to a log. Entries of one Transaction keep their order.
type Append struct {
	Log  string
	Data []byte
	Keep int // the log may be trimmed to about this many of its newest entries; at least 1

	// Unhurried lets the store tell a Tail that waits of this entry up to HearsayDelay later, together with others. A Tail that
	// begins has it at once.
	Unhurried bool
}

// Outcome is what a committed Transaction did.
type Outcome struct {
	Version  uint64 // of every record that it put; 0 where it put none
	Repeated bool   // its ID had been committed before, and this is the outcome of that
}

// ConflictError says which precondition of a Transaction did not hold.
type ConflictError struct{ Key Key }

// Error names the record.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("record %s in partition %s is not at the required version", e.Key.Name, e.Key.Partition)
}

// Range asks for members of an ordered index.
type Range struct {
	Index      Index
	From       string // first member that may be returned; "" = from the very first
	To         string // first member that may not; "" = to the very last
	Limit      int    // 1 to MaxRange
	Descending bool   // greatest first
}

// Rate is how fast a bucket refills: Burst units at most, one every Every.
type Rate struct {
	Burst int           // at least 1
	Every time.Duration // at least a microsecond

	// Durable asks for the store's strongest acknowledgement of a unit taken, where its loss would let somebody guess on.
	Durable bool
}

// Allowance is the answer to a Hit.
type Allowance struct {
	OK         bool
	Remaining  int           // units left, 0 when refused
	RetryAfter time.Duration // when refused: until one unit is back
}

// Position is a place in a log: just after the entry with this sequence and operation id. The zero
// Position is before the first entry ever appended.
type Position struct {
	Sequence  uint64 // 1 for a log's first entry, growing by one
	Operation string // the Transaction's ID; tells a re-used sequence number from the one that was seen
}

// End is the Position after the newest entry, wherever that is when Tail is called. It is for starting
// to follow a log, and never a Feed's Next.
var End = Position{Sequence: math.MaxUint64}

// LogPosition is where to go on reading a log.
type LogPosition struct {
	Log   Log
	After Position
}

// Entry is one entry of a log.
type Entry struct {
	Position Position // just after this entry
	Data     []byte
}

// Feed is what Tail found in one log.
type Feed struct {
	Log     Log
	Entries []Entry
	Next    Position // where to go on

	// Gap says that entries after the asked Position may be gone: the log was trimmed beyond it, or no
	// longer holds the pair of sequence and operation id, as when a replica that had seen less was promoted.
	// Entries is then empty, and Next is after the newest entry.
	Gap bool
}

// Fitness is what Check found.
type Fitness struct {
	Server   string    // what the store is, for a log line: "redis 7.0.15", "bolt"
	Now      time.Time // the store's clock; the middle of the call
	Findings []Finding

	// Opening tells the opening of a store that one process has to itself, such as a local file, from all before it; "" = several
	// processes may use it at once. What a former process had taken for a while is nobody's any more.
	Opening string

	// Jobs is how many large deletions, and changes of orgs, are not finished; MaxRange at most. Core counts them for Options.Report; stores
	// know nothing of them.
	Jobs int
}

// Finding is one thing that is wrong with a database, and how to mend it.
type Finding struct {
	Code   string // stable, for metrics and for an operator's exceptions: "eviction"
	Refuse bool   // do not run on it; else a warning
	Text   string // one sentence: what is wrong, what it can cost, how to mend it
}
