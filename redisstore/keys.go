package redisstore

import "github.com/postern-auth/postern/core"

// keys builds all keys; its value is the prefix. The table is in doc.go.
type keys string

// in returns what builds the keys of a partition.
func (k keys) in(p core.Partition) place { return place(string(k) + "{" + p.String() + "}") }

// wake is the channel on which log entries are announced.
func (k keys) wake() string { return string(k) + "wake" }

// place builds the keys of one partition; its value is what they all begin with.
type place string

func (p place) record(name string) string { return string(p) + "r:" + name }
func (p place) index(name string) string  { return string(p) + "i:" + name }
func (p place) log(name string) string    { return string(p) + "l:" + name }
func (p place) bucket(name string) string { return string(p) + "b:" + name }
func (p place) outcome(id string) string  { return string(p) + "o:" + id }
func (p place) version() string           { return string(p) + "v" }
func (p place) heartbeat() string         { return string(p) + "h" }
