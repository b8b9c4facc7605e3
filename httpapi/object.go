package httpapi

import (
	"encoding/json"
	"slices"
)

// object is the members of a JSON object, each name once, in no order; nil is no object. Objects of calls have few members, which
// a list finds sooner than a map, and without a copy of their names.
type object []member

// member is a name, unescaped, and its value as it was sent.
type member struct {
	name  []byte
	value json.RawMessage
}

// find returns where a name is, or -1.
func (o object) find(name string) int {
	for i := range o {
		if string(o[i].name) == name {
			return i
		}
	}
	return -1
}

// has reports whether a name is there.
func (o object) has(name string) bool { return o.find(name) >= 0 }

// value returns the value of a name, nil where it is missing.
func (o object) value(name string) json.RawMessage {
	if at := o.find(name); at >= 0 {
		return o[at].value
	}
	return nil
}

// take takes a member out, and returns its value.
func (o *object) take(name string) (value json.RawMessage, there bool) {
	at := o.find(name)
	if at < 0 {
		return nil, false
	}
	value = (*o)[at].value
	last := len(*o) - 1
	(*o)[at] = (*o)[last]
	*o = (*o)[:last]
	return value, true
}

// names returns all names, sorted.
func (o object) names() []string {
	names := make([]string, len(o))
	for i := range o {
		names[i] = string(o[i].name)
	}
	slices.Sort(names)
	return names
}
