package sidecar

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decodeStrictly decodes a node, and takes no names that mean nothing. Of a *yaml.TypeError, what is of the wrong kind has the
// lines of the file.
func decodeStrictly(value *yaml.Node, into any) error {
	found := &yaml.TypeError{Errors: takeUnsaid(value)}
	err := decodeKnown(value, into)
	if _, all := errors.AsType[*yaml.TypeError](err); err != nil && !all {
		aside := setAside(value, into, func(alone *yaml.Node) *yaml.Node { return alone })
		if len(aside) == 0 {
			return err
		}
		found.Errors = append(found.Errors, aside...)
		err = decodeKnown(value, into)
	}
	if rest, more := errors.AsType[*yaml.TypeError](err); more {
		found.Errors = append(found.Errors, rest.Errors...)
	}
	if len(found.Errors) == 0 {
		return nil
	}
	return found
}

// decodeKnown does decodeStrictly's work, but for what setAside sees to.
func decodeKnown(value *yaml.Node, into any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err = decoder.Decode(into)
	strict, all := errors.AsType[*yaml.TypeError](err)
	if !all {
		return err
	}
	var found yaml.TypeError
	if located, some := errors.AsType[*yaml.TypeError](value.Decode(into)); some {
		found.Errors = located.Errors
	}
	for _, text := range strict.Errors {
		if unknownField.MatchString(text) {
			found.Errors = append(found.Errors, text)
		}
	}
	return &found
}

// setAside takes out what is below a node and refused by its own type, as a duration that is none, and returns a complaint for each. The
// library stops at the first, and says neither where it is nor what else is wrong. within returns the whole in which a node stands alone.
func setAside(node *yaml.Node, into any, within func(*yaml.Node) *yaml.Node) (complaints []string) {
	if node.Kind != yaml.MappingNode && node.Kind != yaml.SequenceNode {
		return nil
	}
	var kept []*yaml.Node
	for i, child := range node.Content {
		stands, what := []*yaml.Node{child}, ""
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			continue // a name, which stays or goes with its value
		} else if node.Kind == yaml.MappingNode {
			stands, what = []*yaml.Node{node.Content[i-1], child}, node.Content[i-1].Value+": "
		}
		alone := func(n *yaml.Node) *yaml.Node {
			return within(&yaml.Node{Kind: node.Kind, Content: append(slices.Clone(stands[:len(stands)-1]), n)})
		}
		complaints = append(complaints, setAside(child, into, alone)...)
		err := alone(child).Decode(into)
		if _, another := errors.AsType[*yaml.TypeError](err); err != nil && !another {
			complaints = append(complaints, fmt.Sprintf("line %d: %s%v", child.Line, what, err))
			continue
		}
		kept = append(kept, stands...)
	}
	node.Content = kept
	return complaints
}

// takeUnsaid takes out what is below a node and has no value, and returns a complaint for each. The library takes that for the default, and so a rule
// that was to ask for something would ask for nothing.
func takeUnsaid(node *yaml.Node) (complaints []string) {
	var kept []*yaml.Node
	isMap := node.Kind == yaml.MappingNode
	for i := 0; i < len(node.Content); i++ {
		child := node.Content[i]
		switch {
		case child.Tag != "!!null":
			complaints = append(complaints, takeUnsaid(child)...)
			kept = append(kept, child)
		case isMap && i%2 == 1:
			complaints = append(complaints, fmt.Sprintf("line %d: %s has no value; give it one, or leave it out", child.Line, node.Content[i-1].Value))
			kept = kept[:len(kept)-1] // its name
		default:
			complaints = append(complaints, fmt.Sprintf("line %d: an entry has no value; give it one, or leave it out", child.Line))
			if isMap { // it was a name
				i++
			}
		}
	}
	node.Content = kept
	return complaints
}

// How the library says what is wrong.
var (
	unknownField = regexp.MustCompile(`^line \d+: field (.*) not found in type `)
	wrongKind    = regexp.MustCompile("(?s)^line (\\d+): cannot unmarshal \\S+( `.*`)? into (\\S+)$")
)

// complaints says in words about the file what is wrong with a setting, whose name stands on a line.
func complaints(err error, line int, value *yaml.Node) []error {
	if err == nil {
		return nil
	}
	found, some := errors.AsType[*yaml.TypeError](err)
	if !some {
		return []error{fmt.Errorf("line %d: %w", line, err)}
	}
	var all []error
	unknown := map[string][]int{} // names, and the lines where each stands that is yet to be complained of
	for _, text := range found.Errors {
		if m := unknownField.FindStringSubmatch(text); m != nil {
			name, at := m[1], line
			if unknown[name] == nil {
				unknown[name] = linesOf(value, name)
			}
			if lines := unknown[name]; len(lines) > 0 {
				at, unknown[name] = lines[0], lines[1:]
			}
			text = fmt.Sprintf("line %d: there is no setting %s here", max(line, at), name)
		} else if m := wrongKind.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("line %s:%s must be %s", m[1], m[2], wanted(m[3]))
			if m[2] == " `true`" || m[2] == " `false`" {
				text += ", without quotes"
			}
			if m[2] == "" {
				text = fmt.Sprintf("line %s: this must be %s", m[1], wanted(m[3]))
			}
		}
		all = append(all, errors.New(text))
	}
	return all
}

// linesOf returns the lines where a name stands below a node.
func linesOf(node *yaml.Node, name string) []int {
	var lines []int
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Value == name {
			lines = append(lines, child.Line)
		}
		lines = append(lines, linesOf(child, name)...)
	}
	return lines
}

// wanted describes a Go type as what one writes in a file.
func wanted(kind string) string {
	switch {
	case strings.HasPrefix(kind, "[]"):
		return "a list, as in [one, two]"
	case strings.HasPrefix(kind, "map["), strings.HasPrefix(kind, "guard.") && kind != "guard.Source":
		return "names with a value each"
	case kind == "bool":
		return "true or false"
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "a number"
	}
	return "one value"
}
