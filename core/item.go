package core

import "time"

// Item is one thing that a store keeps, on its way to another store as it is: versions, places in logs and all. What is copied whole is
// to core what it was. Exactly one of Record, Member, Entry and Full is set. The outcomes of operations, which are kept for
// OutcomeLifetime, are no Items: nobody may be at work on what is copied.
type Item struct {
	Partition Partition
	Name      string // of the record, index, log or rate bucket

	Record *Record
	Member string    // of the index
	Entry  *Entry    // of the log; those of one log come in their order
	Full   time.Time // when the bucket will be full

	// Keep is for how much longer the store would have kept a record that expires, or a bucket, at the least; 0 = for good.
	Keep time.Duration
}
