// Package fastjson writes and reads the JSON of structs as encoding/json does, for less than half of the CPU: what is kept in
// records, and what /v1 answers. encoding/json stays the rule. It does itself what is not common here, such as maps, floats and
// texts with escapes, and all texts that it would not have written; tests hold the two against each other.
//
// What makes the difference: the names of fields are ready to be copied and are looked for in the order in which they were written, a
// text is read once and not checked first, and a type that appends itself makes no slice for that.
package fastjson

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Appender is a type that appends its own JSON, which must be what its MarshalJSON returns.
type Appender interface {
	AppendJSON(b []byte) []byte
}

// plan is how values of one type are written and read.
type plan struct {
	write func(b []byte, v reflect.Value) ([]byte, error) // v must be addressable
	read  func(r *reader, v reflect.Value) bool           // false = encoding/json is to read it all
}

// field is how one field of a struct is written and read.
type field struct {
	*plan
	at    int
	name  string                   // as it stands in the text, with quotes and colon
	leave func(reflect.Value) bool // whether it is left out; nil = never
}

// plans are those made so far, by type. A plan never changes.
var plans sync.Map

// planOf returns the plan of a type.
func planOf(t reflect.Type) *plan {
	if p, known := plans.Load(t); known {
		return p.(*plan)
	}
	p, _ := plans.LoadOrStore(t, newPlan(t))
	return p.(*plan)
}

var (
	appenderType        = reflect.TypeFor[Appender]()
	marshalerType       = reflect.TypeFor[json.Marshaler]()
	unmarshalerType     = reflect.TypeFor[json.Unmarshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	zeroerType          = reflect.TypeFor[interface{ IsZero() bool }]()
	numberType          = reflect.TypeFor[json.Number]()
)

// newPlan makes the plan of a type. Types that have a say in their JSON have it.
func newPlan(t reflect.Type) *plan {
	p, own := &plan{writeOther, readOther}, reflect.PointerTo(t)
	writes := own.Implements(marshalerType) || own.Implements(textMarshalerType) || t == numberType
	reads := own.Implements(unmarshalerType) || own.Implements(textUnmarshalerType) || t == numberType
	usual := usualPlan(t)
	if own.Implements(appenderType) {
		p.write = writeAppender
	} else if !writes && usual != nil {
		p.write = usual.write
	}
	if own.Implements(unmarshalerType) {
		p.read = readUnmarshaler
	} else if !reads && usual != nil {
		p.read = usual.read
	}
	return p
}

// usualPlan makes the plan of a type by its kind, or returns nil where that is encoding/json's business.
func usualPlan(t reflect.Type) *plan {
	switch t.Kind() {
	case reflect.String:
		return &plan{writeText, readText}
	case reflect.Bool:
		return &plan{writeBool, readBool}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &plan{writeInt, readInt}
	case reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return &plan{writeUint, readUint}
	case reflect.Pointer:
		return pointerPlan(t)
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return listPlan(t)
		}
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return &plan{writeMap, readOther}
		}
	case reflect.Struct:
		return structPlan(t)
	}
	return nil
}

// structPlan makes the plan of a struct, or returns nil for one with fields that are embedded, have no tag, or options that
// are rare.
func structPlan(t reflect.Type) *plan {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		switch {
		case tag == "-" || f.Anonymous && !tagged && isBare(f.Type) || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous || !tagged:
			return nil
		}
		name, options, _ := strings.Cut(tag, ",")
		name = `"` + cmp.Or(name, f.Name) + `":`
		same := func(other field) bool { return other.name == name }
		if !isSafe(name[1:len(name)-2]) || slices.ContainsFunc(fields, same) || !isKnown(f.Type, options) {
			return nil
		}
		fields = append(fields, field{planOf(f.Type), i, name, leaver(f.Type, options)})
	}
	return &plan{structWriter(fields), structReader(fields)}
}

// isKnown reports whether the options of a field of some type are those that leaver knows.
func isKnown(t reflect.Type, options string) bool {
	zeroes := t.Kind() != reflect.Struct && reflect.PointerTo(t).Implements(zeroerType)
	for option := range strings.SplitSeq(options, ",") {
		if option != "" && option != "omitempty" && (option != "omitzero" || zeroes) {
			return false
		}
	}
	return true
}

// isBare reports whether a type is a struct of which JSON shows nothing.
func isBare(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.NumField() == 0 {
		return false
	}
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("json") != "-" {
			return false
		}
	}
	return true
}

// leaver returns what tells whether a field with some options is left out.
func leaver(t reflect.Type, options string) func(reflect.Value) bool {
	var when []func(reflect.Value) bool
	for option := range strings.SplitSeq(options, ",") {
		switch {
		case option == "omitempty":
			when = append(when, isEmpty)
		case option == "omitzero" && t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(zeroerType):
			when = append(when, func(v reflect.Value) bool { return v.Addr().Interface().(interface{ IsZero() bool }).IsZero() })
		case option == "omitzero":
			when = append(when, reflect.Value.IsZero)
		}
	}
	switch len(when) {
	case 0:
		return nil
	case 1:
		return when[0]
	}
	return func(v reflect.Value) bool { return when[0](v) || when[1](v) }
}

// isEmpty is what omitempty asks for.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
