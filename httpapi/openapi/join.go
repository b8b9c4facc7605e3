package openapi

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed document/*.yaml
var files embed.FS

// parts are the files of the document, in the order in which people read it.
var parts = []string{
	"main", "errors", "users", "user_tokens", "credentials", "sessions", "orgs", "realms", "policies", "keys", "events", "bulk", "reference",
}

// joined is the whole document. It is built in, so that it fails in a test or never.
var joined = sync.OnceValue(func() *yaml.Node {
	root, err := join(parts, func(name string) ([]byte, error) { return files.ReadFile("document/" + name + ".yaml") })
	if err != nil {
		panic(err)
	}
	return root
})

// join reads the parts of a document and makes one of them.
func join(parts []string, read func(string) ([]byte, error)) (*yaml.Node, error) {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, name := range parts {
		text, err := read(name)
		if err != nil {
			return nil, err
		}
		var part yaml.Node
		if err := yaml.Unmarshal(text, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		plain(&part)
		if err := merge(root, part.Content[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return root, complete(root)
}

// plain puts what an alias stands for in its place: anchors belong to one file.
func plain(n *yaml.Node) {
	for i, inner := range n.Content {
		if inner.Kind == yaml.AliasNode {
			inner = clone(inner.Alias)
			n.Content[i] = inner
		}
		inner.Anchor = ""
		plain(inner)
	}
}

// merge adds a part to what is there: members to mappings, entries to lists. What is there already is not said twice.
func merge(into, from *yaml.Node) error {
	for i := 0; i+1 < len(from.Content); i += 2 {
		name, value := from.Content[i], from.Content[i+1]
		there := get(into, name.Value)
		switch {
		case there == nil:
			into.Content = append(into.Content, name, value)
		case there.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			if err := merge(there, value); err != nil {
				return fmt.Errorf("%s: %w", name.Value, err)
			}
		case there.Kind == yaml.SequenceNode && value.Kind == yaml.SequenceNode:
			there.Content = append(there.Content, value.Content...)
		default:
			return fmt.Errorf("%s is there twice", name.Value)
		}
	}
	return nil
}

// get returns a member of a mapping; nil where there is none.
func get(mapping *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		if mapping == nil || mapping.Kind != yaml.MappingNode {
			return nil
		}
		at := -1
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if mapping.Content[i].Value == name {
				at = i
			}
		}
		if at < 0 {
			return nil
		}
		mapping = mapping.Content[at+1]
	}
	return mapping
}

// methods are those that an operation can be of.
var methods = []string{"get", "post", "put", "delete"}

// common is what the parts leave out of each operation, and stands once under this name: what "every" call may be answered
// with, those with a management key ("managed", and "realm" where the call has to name one), those with a "body", those that
// "change" something, those that can be "repeated" (a POST with a management key, unless it is a stream), those to "things" that have an address of their own, by method, and what "each" answer has.
const common = "x-postern-common"

// complete gives each operation what it has in common with others. What an operation says itself stands.
func complete(root *yaml.Node) error {
	shared := get(root, common)
	if shared == nil {
		return fmt.Errorf("%s is missing", common)
	}
	paths := get(root, "paths")
	for i := 0; paths != nil && i+1 < len(paths.Content); i += 2 {
		path, item := paths.Content[i].Value, paths.Content[i+1]
		for j := 0; j+1 < len(item.Content); j += 2 {
			method, operation := item.Content[j].Value, item.Content[j+1]
			if !slices.Contains(methods, method) {
				continue
			}
			if method == "put" || method == "delete" {
				fill(operation, get(shared, "change"))
			}
			if strings.HasSuffix(path, "}") && get(item, "get") != nil || method == "post" && hasThings(paths, path) {
				fill(operation, get(shared, "things", method))
			}
			if method == "post" && managed(operation) && get(operation, "requestBody", "content", "application/x-ndjson") == nil {
				fill(operation, get(shared, "repeated"))
			}
			completeOperation(operation, shared)
		}
	}
	root.Content = slices.DeleteFunc(root.Content, func(n *yaml.Node) bool { return n == shared || n.Value == common })
	return nil
}

// hasThings reports whether what is made at a path can be read below it.
func hasThings(paths *yaml.Node, path string) bool {
	for i := 0; i+1 < len(paths.Content); i += 2 {
		name, below := strings.CutPrefix(paths.Content[i].Value, path+"/{")
		if below && strings.IndexByte(name, '}') == len(name)-1 && get(paths.Content[i+1], "get") != nil {
			return true
		}
	}
	return false
}

// completeOperation completes one.
func completeOperation(operation, shared *yaml.Node) {
	if managed(operation) {
		fill(operation, get(shared, "managed"))
		if get(operation, "x-postern-reach") == nil {
			fill(operation, get(shared, "realm"))
		}
	}
	if get(operation, "requestBody") != nil {
		fill(operation, get(shared, "body"))
	}
	fill(operation, get(shared, "every"))
	responses := get(operation, "responses")
	sortMembers(responses)
	for i := 0; i+1 < len(responses.Content); i += 2 {
		if answer := responses.Content[i+1]; get(answer, "$ref") == nil {
			fill(answer, get(shared, "each"))
		}
	}
}

// managed reports whether an operation is called with a management key.
func managed(operation *yaml.Node) bool {
	permission := get(operation, "x-postern-permission")
	return permission != nil && permission.Value != "none"
}

// sortMembers puts the members of a mapping in the order of their names.
func sortMembers(mapping *yaml.Node) {
	var members [][]*yaml.Node
	for pair := range slices.Chunk(mapping.Content, 2) {
		members = append(members, slices.Clone(pair))
	}
	slices.SortFunc(members, func(a, b []*yaml.Node) int { return strings.Compare(a[0].Value, b[0].Value) })
	mapping.Content = slices.Concat(members...)
}

// fill adds members that are missing, at any depth; entries of lists come after those that are there. security is
// said whole or not at all.
func fill(into, from *yaml.Node) {
	if from == nil {
		return
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		name, value := from.Content[i], from.Content[i+1]
		there := get(into, name.Value)
		switch {
		case there == nil:
			into.Content = append(into.Content, name, clone(value))
		case there.Kind == yaml.MappingNode && get(there, "$ref") == nil:
			fill(there, value)
		case there.Kind == yaml.SequenceNode && name.Value != "security":
			there.Content = append(there.Content, clone(value).Content...)
		}
	}
}

// clone copies a node, so that what is filled into one operation stays out of the others.
func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for _, inner := range n.Content {
		c.Content = append(c.Content, clone(inner))
	}
	return &c
}
