// Package boltstore keeps what core decides in one local file, with go.etcd.io/bbolt. It is the store
// that Postern uses where no Redis is named. The hosts open it; core calls it, as a core.Store.
//
// The file belongs to one process. Every acknowledged write is on disk: writers that wait at the same
// moment share one commit (see committer), and a lone writer waits for nobody. Reads never wait for writers.
//
// # Layout
//
// A file is one bbolt database with these buckets. Every key but those of meta and deadlines begins with
// "<partition> 0x00 <name>", which is written here as <where>; numbers are big-endian.
//
//	bucket     key                          value
//	meta       "format"                     number of this layout, 4 bytes
//	records    <where>                      version 8, schema 2, expires 8, deadline 8, the caller's bytes
//	indexes    <where> 0x00 <member>        nothing
//	logs       <where> 0x00 <sequence 8>    length of the operation id 1, operation id, the caller's bytes
//	rates      <where>                      when the bucket will be full 8, deadline 8
//	outcomes   <where: operation id>        version 8
//	deadlines  <deadline 8> <kind> <key>    nothing; kind says which bucket key is of: 'o', 'r' or 't'
//
// Every value but meta's begins with a CRC-32C of its key and the rest of it, so that damage is noticed
// where bbolt would not. Times are Unix milliseconds, those of rates microseconds. The sequence of bucket
// records is the version of the newest record. A deadline is when, by this machine's clock, something
// may be tidied away; package core judges expiry before that, by its own clock.
package boltstore
