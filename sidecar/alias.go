package sidecar

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what a configuration comes to with all its aliases spelled out, in nodes: names, values, lists.
const maxNodes = 100_000

// spelledOut returns a node with what each alias below it stands for in its place. Settings are read one by one, and an alias in one may stand for what
// is in another.
func spelledOut(node *yaml.Node) (*yaml.Node, error) {
	w := writer{open: map[*yaml.Node]bool{}}
	return w.write(node)
}

// writer spells aliases out.
type writer struct {
	nodes int
	open  map[*yaml.Node]bool // what is being written
}

func (w *writer) write(node *yaml.Node) (*yaml.Node, error) {
	if w.nodes++; w.nodes > maxNodes {
		return nil, errors.New("its aliases stand for too much")
	}
	what := node
	if node.Kind == yaml.AliasNode {
		what = node.Alias
	}
	if w.open[what] {
		return nil, fmt.Errorf("line %d: the alias %s stands for what it is in", node.Line, node.Value)
	}
	w.open[what] = true
	defer delete(w.open, what)
	written := *what
	written.Anchor, written.Content = "", nil
	for _, child := range what.Content {
		again, err := w.write(child)
		if err != nil {
			return nil, err
		}
		written.Content = append(written.Content, again)
	}
	return &written, nil
}
