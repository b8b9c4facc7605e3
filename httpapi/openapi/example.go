package openapi

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// member is one property of an object.
type member struct {
	name     string
	schema   *yaml.Node
	required bool
}

// members returns the properties of a schema, those of what it is made of among them.
func (t tree) members(schema *yaml.Node) (all []member) {
	schema = t.follow(schema)
	required := words(get(schema, "required"))
	for _, part := range children(get(schema, "allOf")) {
		for _, m := range t.members(part) {
			if at := slices.IndexFunc(all, func(other member) bool { return other.name == m.name }); at >= 0 {
				m.required = m.required || all[at].required
				all[at] = m // what comes later says more
				continue
			}
			all = append(all, m)
		}
		required = append(required, words(get(t.follow(part), "required"))...)
	}
	for name, property := range pairs(get(schema, "properties")) {
		all = append(all, member{name: name, schema: property})
	}
	for i := range all {
		all[i].required = all[i].required || slices.Contains(required, all[i].name)
	}
	return all
}

// example returns a value that a schema allows: its own example, else one that is put together of what is required and
// what wanted names.
func (t tree) example(schema *yaml.Node, wanted func(member) bool) *yaml.Node {
	schema = t.follow(schema)
	for _, name := range []string{"examples", "enum"} {
		if all := children(get(schema, name)); len(all) > 0 {
			return all[0]
		}
	}
	for _, name := range []string{"const", "default"} {
		if value := get(schema, name); value != nil {
			return value
		}
	}
	if choices := children(get(schema, "oneOf")); len(choices) > 0 {
		return t.example(choices[0], wanted)
	}
	if members := t.members(schema); len(members) > 0 {
		object := &yaml.Node{Kind: yaml.MappingNode}
		for _, m := range members {
			if m.required || wanted(m) {
				object.Content = append(object.Content, scalar(m.name), t.example(m.schema, wanted))
			}
		}
		return object
	}
	return t.plainExample(schema, wanted)
}

// plainExample returns the example of a schema by its type alone.
func (t tree) plainExample(schema *yaml.Node, wanted func(member) bool) *yaml.Node {
	switch kind := firstType(schema); kind {
	case "array":
		array := &yaml.Node{Kind: yaml.SequenceNode}
		if items := get(schema, "items"); items != nil {
			array.Content = append(array.Content, t.example(items, wanted))
		}
		return array
	case "object":
		return &yaml.Node{Kind: yaml.MappingNode}
	case "integer", "number":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "0"}
	case "boolean":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"}
	case "null":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	return scalar("...")
}

// firstType returns the type of a schema, the first of several.
func firstType(schema *yaml.Node) string {
	kind := get(schema, "type")
	if all := words(kind); len(all) > 0 {
		return all[0]
	}
	return text(kind)
}
