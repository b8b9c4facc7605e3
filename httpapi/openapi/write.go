package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// asYAML writes a node as YAML.
func asYAML(n *yaml.Node) []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		panic(err) // it was read from YAML
	}
	return b.Bytes()
}

// asJSON writes a node as JSON.
func asJSON(n *yaml.Node) []byte {
	var b bytes.Buffer
	writeJSON(&b, n)
	return b.Bytes()
}

// writeJSON writes a node, with the members of objects in their order.
func writeJSON(b *bytes.Buffer, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			writeValue(b, n.Content[i].Value)
			b.WriteByte(':')
			writeJSON(b, n.Content[i+1])
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, inner := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, inner)
		}
		b.WriteByte(']')
	default:
		var value any
		if err := n.Decode(&value); err != nil {
			panic(fmt.Errorf("openapi: line %d: %w", n.Line, err))
		}
		writeValue(b, value)
	}
}

// writeValue writes a text, number, truth or null.
func writeValue(b *bytes.Buffer, value any) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // YAML has scalars that JSON has not; the document uses none
	}
	b.Truncate(b.Len() - 1) // the line feed
}
