package redisstore

import "github.com/postern-auth/postern/core"

// keys builds all keys; its value is the prefix. The table is in doc.go.
type keys string

// of returns the key of what is called name in a partition, kind being its letter in the table.
func (k keys) of(p core.Partition, kind, name string) string {
	return string(k) + "{" + p.String() + "}" + kind + name
}

func (k keys) record(p core.Partition, name string) string { return k.of(p, "r:", name) }
func (k keys) index(p core.Partition, name string) string  { return k.of(p, "i:", name) }
func (k keys) log(p core.Partition, name string) string    { return k.of(p, "l:", name) }
func (k keys) bucket(p core.Partition, name string) string { return k.of(p, "b:", name) }
func (k keys) outcome(p core.Partition, id string) string  { return k.of(p, "o:", id) }
func (k keys) version(p core.Partition) string             { return k.of(p, "v", "") }
func (k keys) heartbeat(p core.Partition) string           { return k.of(p, "h", "") }

// wake is the channel on which log entries are announced.
func (k keys) wake() string { return string(k) + "wake" }
