package openapi

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree is the joined document, to look things up in.
type tree struct{ root *yaml.Node }

// follow returns what stands for a node: itself, or what it refers to.
func (t tree) follow(n *yaml.Node) *yaml.Node {
	for {
		ref := get(n, "$ref")
		if ref == nil {
			return n
		}
		n = get(t.root, strings.Split(strings.TrimPrefix(ref.Value, "#/"), "/")...)
	}
}

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

// scalar returns a node that is a text.
func scalar(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// text returns the text of a scalar; "" where there is none.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// words returns the texts of a list.
func words(n *yaml.Node) (all []string) {
	for _, inner := range children(n) {
		all = append(all, inner.Value)
	}
	return all
}

// children returns the entries of a list; none where it is something else.
func children(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// pairs are the members of a mapping, in order.
func pairs(n *yaml.Node) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}
