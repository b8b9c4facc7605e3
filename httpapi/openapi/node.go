package openapi

import (
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

// get returns what is at a path of names in mappings; nil where there is nothing.
func get(n *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		var found *yaml.Node
		for other, value := range pairs(n) {
			if other == name {
				found = value
				break
			}
		}
		n = found
	}
	return n
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
