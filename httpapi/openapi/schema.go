package openapi

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// schemaView is a schema as the page shows it: a table of its members, or of those of each choice, or what stands for it.
type schemaView struct {
	Name, Text string
	Type       []piece // where it is shown elsewhere, or has no members
	Fields     []field
	Choices    []schemaView
}

// field is a member of an object, or a parameter.
type field struct {
	Name, In string
	Type     []piece
	Required bool
	Text     string
	Limits   []string // what a value must be, in words
	Example  string   // as it stands in a path
}

// piece is a part of the name of a type: a word, or a schema that is shown elsewhere.
type piece struct{ Text, Schema string }

// isBig reports whether a schema has a table of its own on the page.
func (t tree) isBig(schema *yaml.Node) bool {
	schema = t.follow(schema)
	return get(schema, "properties") != nil || get(schema, "allOf") != nil || get(schema, "oneOf") != nil
}

// schemaView gathers what the page shows of a schema.
func (t tree) schemaView(schema *yaml.Node) schemaView {
	if name := refName(schema); name != "" && t.isBig(schema) {
		return schemaView{Type: []piece{{Text: name, Schema: name}}}
	}
	schema = t.follow(schema)
	v := schemaView{Name: text(get(schema, "title"))}
	for _, choice := range children(get(schema, "oneOf")) {
		v.Choices = append(v.Choices, t.schemaView(choice))
	}
	if v.Fields = t.fields("", schema); v.Fields == nil && v.Choices == nil {
		v.Type = t.typeOf(schema)
	}
	return v
}

// fields are the members of an object; those of what is within it go by their way there: user.username, errors[].code.
func (t tree) fields(prefix string, schema *yaml.Node) (all []field) {
	for _, m := range t.members(schema) {
		f := t.field(prefix+m.name, m.schema, m.required)
		all = append(all, f)
		inner, below := m.schema, prefix+m.name+"."
		if items := get(inner, "items"); items != nil {
			inner, below = items, prefix+m.name+"[]."
		}
		if get(inner, "$ref") == nil {
			all = append(all, t.fields(below, inner)...)
		}
	}
	return all
}

// field gathers what the page shows of a member.
func (t tree) field(name string, schema *yaml.Node, required bool) field {
	followed := t.follow(schema)
	f := field{Name: name, Required: required, Type: t.typeOf(schema), Text: text(get(schema, "description")), Limits: limits(followed)}
	if f.Text == "" && !t.isBig(schema) {
		f.Text = text(get(followed, "description"))
	}
	f.Example = text(t.example(schema, func(member) bool { return false }))
	return f
}

// typeOf names the type of a schema.
func (t tree) typeOf(schema *yaml.Node) []piece {
	if name := refName(schema); name != "" && t.isBig(schema) {
		return []piece{{Text: name, Schema: name}}
	}
	schema = t.follow(schema)
	var all []piece
	for _, choice := range children(get(schema, "oneOf")) {
		if len(all) > 0 {
			all = append(all, piece{Text: " or "})
		}
		all = append(all, t.typeOf(choice)...)
	}
	if all != nil {
		return all
	}
	kinds := words(get(schema, "type"))
	if kinds == nil {
		kinds = []string{firstType(schema)}
	}
	for i, kind := range kinds {
		if i > 0 {
			all = append(all, piece{Text: " or "})
		}
		switch items := get(schema, "items"); {
		case kind == "array" && items != nil:
			all = append(append(all, piece{Text: "array of "}), t.typeOf(items)...)
		case kind == "":
			all = append(all, piece{Text: "string"}) // a constant, or part of an object
		default:
			all = append(all, piece{Text: kind})
		}
	}
	if get(schema, "allOf") != nil {
		return []piece{{Text: "object"}}
	}
	return all
}

// limits says in words what a value must be.
func limits(schema *yaml.Node) (all []string) {
	if value := get(schema, "const"); value != nil {
		all = append(all, "`"+value.Value+"`")
	}
	all = append(all, choices("", schema)...)
	all = append(all, choices("each ", get(schema, "items"))...)
	least, most := text(get(schema, "minimum")), text(get(schema, "maximum"))
	switch {
	case least != "" && most != "":
		all = append(all, "from "+least+" to "+most)
	case least != "" && least != "0":
		all = append(all, "at least "+least)
	}
	if format := text(get(schema, "format")); format != "" {
		all = append(all, "a "+format)
	}
	if value := get(schema, "default"); value != nil {
		all = append(all, "default `"+value.Value+"`")
	}
	return all
}

// choices says which words a value must be of, if any.
func choices(who string, schema *yaml.Node) []string {
	var all []string
	for _, word := range children(get(schema, "enum")) {
		if word.Tag != "!!null" {
			all = append(all, "`"+string(asWord(word))+"`")
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all
	}
	return []string{who + "one of " + strings.Join(all, " ")}
}

// asWord writes a word as it is, and an empty one as "".
func asWord(n *yaml.Node) string {
	if n.Value == "" {
		return `""`
	}
	return n.Value
}
