package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// object is a JSON object.
type object = map[string]any

// Decode reads one JSON value, with its numbers as they were written.
func Decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON value")
	}
	return value, nil
}

// finding is what is wrong, and where in the value.
type finding struct{ at, what string }

func (f finding) String() string { return f.at + " " + f.what }

// complain returns one finding.
func complain(at, format string, args ...any) []finding {
	return []finding{{at, fmt.Sprintf(format, args...)}}
}

// Check holds a value, as Decode returns one, against a schema of the document, and returns all that is wrong.
func (d *Document) Check(schema, value any) []string {
	var all []string
	for _, f := range d.check("$", schema, value) {
		all = append(all, f.String())
	}
	return all
}

// check is eval for a value of its own: members that no schema has named are wrong.
func (d *Document) check(at string, schema, value any) []finding {
	found, named := d.eval(at, schema, value)
	members, _ := value.(object)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !named[name] {
			found = append(found, complain(at+"."+name, "is not in the document")...)
		}
	}
	return found
}

// eval holds a value against a schema. named are the members of an object that the schema knows.
func (d *Document) eval(at string, schema, value any) (found []finding, named map[string]bool) {
	s := schema.(object) // Read has seen that it is one
	named = map[string]bool{}
	take := func(f []finding, n map[string]bool) {
		found = append(found, f...)
		maps.Copy(named, n)
	}
	if ref, there := s["$ref"]; there {
		take(d.eval(at, d.resolve(ref.(string)), value))
	}
	for _, part := range list(s["allOf"]) {
		take(d.eval(at, part, value))
	}
	if choices := list(s["oneOf"]); choices != nil {
		take(d.one(at, choices, value))
	}
	found = append(found, scalar(at, s, value)...)
	switch v := value.(type) {
	case object:
		take(d.members(at, s, v))
	case []any:
		if items, there := s["items"]; there {
			for i, item := range v {
				found = append(found, d.check(fmt.Sprintf("%s[%d]", at, i), items, item)...)
			}
		}
	}
	return found, named
}

// one holds a value against choices, of which exactly one must fit.
func (d *Document) one(at string, choices []any, value any) (found []finding, named map[string]bool) {
	fits := 0
	var closest []finding
	for _, choice := range choices {
		f, n := d.eval(at, choice, value)
		if len(f) == 0 {
			fits++
			named = n
		} else if closest == nil || len(f) < len(closest) {
			closest = f
		}
	}
	if fits == 1 {
		return nil, named
	}
	return append(complain(at, "fits %d of the choices; want one", fits), closest...), nil
}

// members holds an object against what a schema says of its members.
func (d *Document) members(at string, s, value object) (found []finding, named map[string]bool) {
	named = map[string]bool{}
	properties, _ := s["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(value)) {
		rule, there := properties[name]
		if !there {
			rule, there = s["additionalProperties"]
		}
		if !there {
			continue
		}
		if named[name] = true; rule == true {
			continue
		}
		if rule == false {
			found = append(found, complain(at+"."+name, "is not allowed")...)
			continue
		}
		found = append(found, d.check(at+"."+name, rule, value[name])...)
	}
	for _, name := range list(s["required"]) {
		if _, there := value[name.(string)]; !there {
			found = append(found, complain(at+"."+name.(string), "is missing")...)
		}
	}
	if least, there := number(s["minProperties"]); there && float64(len(value)) < least {
		found = append(found, complain(at, "has %d members; want %v at least", len(value), least)...)
	}
	return found, named
}

// scalar holds a value against the keywords that need no look inside.
func scalar(at string, s object, value any) (found []finding) {
	if types, there := s["type"]; there && !slices.ContainsFunc(oneOrMore(types), func(t any) bool { return isType(t.(string), value) }) {
		found = append(found, complain(at, "is %s; want %v", typeOf(value), types)...)
	}
	if want, there := s["const"]; there && !reflect.DeepEqual(want, value) {
		found = append(found, complain(at, "is %v; want %v", value, want)...)
	}
	if words, there := s["enum"]; there && !slices.ContainsFunc(list(words), func(w any) bool { return reflect.DeepEqual(w, value) }) {
		found = append(found, complain(at, "is %v; want one of %v", value, words)...)
	}
	switch v := value.(type) {
	case string:
		found = append(found, text(at, s, v)...)
	case []any:
		found = append(found, bounds(at, "entries", s["minItems"], s["maxItems"], float64(len(v)))...)
	case json.Number:
		n, _ := v.Float64()
		found = append(found, bounds(at, "as its value", s["minimum"], s["maximum"], n)...)
	}
	return found
}

// text holds a text against what a schema says of texts.
func text(at string, s object, v string) []finding {
	found := bounds(at, "characters", s["minLength"], s["maxLength"], float64(utf8.RuneCountInString(v)))
	if pattern, there := s["pattern"].(string); there && !regexp.MustCompile(pattern).MatchString(v) {
		found = append(found, complain(at, "is %q; want %s", v, pattern)...)
	}
	if format, there := s["format"].(string); there && !formats[format](v) {
		found = append(found, complain(at, "is %q; want a %s", v, format)...)
	}
	return found
}

// bounds holds a number against a least and a most.
func bounds(at, what string, least, most any, n float64) []finding {
	if low, there := number(least); there && n < low {
		return complain(at, "has %v %s; want %v at least", n, what, low)
	}
	if high, there := number(most); there && n > high {
		return complain(at, "has %v %s; want %v at most", n, what, high)
	}
	return nil
}

// number returns a number of a schema.
func number(v any) (n float64, there bool) {
	text, there := v.(json.Number)
	if there {
		n, _ = text.Float64()
	}
	return n, there
}

// list returns an array; nil where there is none.
func list(v any) []any {
	all, _ := v.([]any)
	return all
}

// oneOrMore returns an array, or one of what stands alone.
func oneOrMore(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	return []any{v}
}

// typeOf returns the type of a value.
func typeOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// isType reports whether a value is of a type. Integers are numbers too.
func isType(name string, value any) bool {
	is := typeOf(value)
	return is == name || is == "integer" && name == "number"
}
