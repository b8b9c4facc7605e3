package openapi

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed document/*.yaml
var files embed.FS

// parts are the files of the document, in the order in which people read it.
var parts = []string{
	"main", "errors", "users", "user_tokens", "credentials", "sessions", "orgs", "realms", "policies", "keys", "events", "bulk", "reference",
}

// joined returns the whole document. It is built in, so that it fails in a test or never.
func joined() *yaml.Node {
	root, err := join(parts, func(name string) ([]byte, error) { return files.ReadFile("document/" + name + ".yaml") })
	if err != nil {
		panic(err)
	}
	return root
}

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
	for name, value := range pairs(from) {
		there := get(into, name)
		switch {
		case there == nil:
			into.Content = append(into.Content, scalar(name), value)
		case there.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			if err := merge(there, value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		case there.Kind == yaml.SequenceNode && value.Kind == yaml.SequenceNode:
			there.Content = append(there.Content, value.Content...)
		default:
			return fmt.Errorf("%s is there twice", name)
		}
	}
	return nil
}

// methods are those that an operation can be of.
var methods = []string{"get", "post", "put", "delete"}

// common is what the parts leave out of each operation, and stands once under this name. See completeOperation for its parts.
const common = "x-postern-common"

// complete gives each operation what it has in common with others. What an operation says itself stands.
func complete(root *yaml.Node) error {
	shared := get(root, common)
	if shared == nil {
		return fmt.Errorf("%s is missing", common)
	}
	t, paths := tree{root}, get(root, "paths")
	for path, item := range pairs(paths) {
		for method, operation := range pairs(item) {
			if slices.Contains(methods, method) {
				thing := strings.HasSuffix(path, "}") && get(item, "get") != nil || method == "post" && hasThings(paths, path)
				t.completeOperation(method, operation, shared, thing)
			}
		}
	}
	root.Content = slices.DeleteFunc(root.Content, func(n *yaml.Node) bool { return n == shared || n.Value == common })
	prune(root)
	return nil
}

// prune takes away the answers that nothing refers to any more: each operation with such a one has a copy, with what was filled in.
func prune(root *yaml.Node) {
	answers, used := get(root, "components", "responses"), references(root)
	if answers == nil {
		return
	}
	var kept []*yaml.Node
	for pair := range slices.Chunk(answers.Content, 2) {
		if used["#/components/responses/"+pair[0].Value] {
			kept = append(kept, pair...)
		}
	}
	answers.Content = kept
}

// references are all that a node refers to.
func references(n *yaml.Node) map[string]bool {
	all := map[string]bool{}
	for i, inner := range n.Content {
		if n.Kind == yaml.MappingNode && inner.Value == "$ref" && i%2 == 0 {
			all[n.Content[i+1].Value] = true
		}
		maps.Copy(all, references(inner))
	}
	return all
}

// hasThings reports whether what is made at a path can be read below it.
func hasThings(paths *yaml.Node, path string) bool {
	for other, item := range pairs(paths) {
		name, below := strings.CutPrefix(other, path+"/{")
		if below && strings.IndexByte(name, '}') == len(name)-1 && get(item, "get") != nil {
			return true
		}
	}
	return false
}

// completeOperation gives an operation what is shared: by "method"; by "thing" and method, where what it is about has an address
// of its own; if it is "managed" by a key, in a "realm" that the call names; "repeatable" and with a "body"; and what "every"
// operation and "each" answer has.
func (t tree) completeOperation(method string, operation, shared *yaml.Node, thing bool) {
	t.fill(operation, get(shared, "method", method))
	if thing {
		t.fill(operation, get(shared, "thing", method))
	}
	if permission := text(get(operation, "x-postern-permission")); permission != "" && permission != "none" {
		t.fill(operation, get(shared, "managed"))
		if get(operation, "x-postern-reach") == nil {
			t.fill(operation, get(shared, "realm"))
		}
	}
	if method == "post" {
		t.fill(operation, get(shared, "repeatable", "operation"))
		t.fillAnswers(operation, get(shared, "repeatable", "answer"), "2")
	}
	if get(operation, "requestBody") != nil {
		t.fill(operation, get(shared, "body"))
	}
	t.fill(operation, get(shared, "every"))
	t.fillAnswers(operation, get(shared, "each"), "")
	sortMembers(get(operation, "responses"))
}

// fillAnswers fills the answers of an operation whose status begins in a way.
func (t tree) fillAnswers(operation, from *yaml.Node, status string) {
	for name, answer := range pairs(get(operation, "responses")) {
		if strings.HasPrefix(name, status) && (status != "" || get(answer, "$ref") == nil) {
			t.fill(answer, from)
		}
	}
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

// fill adds members that are missing, at any depth; entries of lists come after those that are there. What is there by
// reference is copied before something is added. security is said whole or not at all.
func (t tree) fill(into, from *yaml.Node) {
	if from == nil {
		return
	}
	if get(into, "$ref") != nil {
		into.Content = clone(t.follow(into)).Content
	}
	for name, value := range pairs(from) {
		there := get(into, name)
		switch {
		case there == nil:
			into.Content = append(into.Content, scalar(name), clone(value))
		case there.Kind == yaml.MappingNode && get(value, "$ref") == nil:
			t.fill(there, value)
		case there.Kind == yaml.SequenceNode && name != "security":
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
