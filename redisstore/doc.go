// Package redisstore keeps core's records in Redis or Valkey: a single server, one behind Sentinel, or a
// Cluster. The hosts open it; core calls it through core.Store, whose text is the contract.
//
// Each call is one round trip, and one Lua script for each partition that it touches (scripts/). Reads that come while
// others are under way share the next round trip, but for a Cluster's (convoy.go). All keys of a partition share a hash
// tag, so that Cluster keeps them on one node. With the default prefix:
//
//	postern:{<realm>:<n>}r:<name>       record: "<version> <schema> <expires> <value>", see value.go
//	postern:{<realm>:<n>}i:<name>       ordered index: a sorted set, all scores 0
//	postern:{<realm>:<n>}l:<name>       log: a stream, ids <sequence>-0, fields o (operation id) and d (data)
//	postern:{<realm>:<n>}b:<name>       rate bucket: when it will be full, in microseconds
//	postern:{<realm>:<n>}o:<operation>  outcome of an operation: the version that it gave; for core.OutcomeLifetime
//	postern:{<realm>:<n>}v              the version given last
//	postern:{<realm>:<n>}h              heartbeat: never there, see scripts/tail.lua
//	postern:{_}filling                  there while Fill is under way
//	postern:wake                        pub/sub channel: the logs that got entries, see announce.go
//
// The system partition is {_}. An ACL user needs ~postern:*, &postern:*, and the commands +@scripting +@read
// +@write +@pubsub +@connection +info +time +config|get; with Durability +wait or +waitaof, with Cluster +cluster.
//
// Errors are returned and nothing is logged; but the Redis client has a log of its own, which a host directs
// with its SetLogger.
//
// # What an error means
//
// core.ErrUnavailable: nothing was decided. The server could not be reached, or refused before it changed
// anything. core.ErrOutcomeUnknown: a write was sent, and what came of it was not told; with Durability also that
// too few replicas, or not the disk, confirmed it in time. Reads, and transactions thanks to their operation id,
// are tried up to three times within the deadline; hits are not repeated once they were sent, but by a Cluster's client, which
// may so take a unit twice.
//
// # What can be lost
//
// Redis acknowledges a write before it is on disk or on a replica. With appendonly and appendfsync everysec a
// power failure loses up to about two seconds; a failover loses what the promoted replica had not seen, bounded by
// min-replicas-max-lag where min-replicas-to-write is at least 1. Durability narrows this for the transactions that
// core marks Durable. Check says what a server's settings put at risk. Redis 6.2 heeds min-replicas-to-write in
// no script: use 7.0 or later, or Valkey, where it matters.
package redisstore
