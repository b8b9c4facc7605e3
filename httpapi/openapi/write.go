package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"go.yaml.in/yaml/v3"
)

// JSON returns the document as JSON. Nobody may change it.
var JSON = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	writeJSON(&b, joined())
	return b.Bytes()
})

// YAML returns the document as YAML. Nobody may change it.
var YAML = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(joined()); err != nil {
		panic(err) // it was read from YAML
	}
	return b.Bytes()
})

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
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // YAML has scalars that JSON has not; the document uses none
	}
	b.Write(text)
}
