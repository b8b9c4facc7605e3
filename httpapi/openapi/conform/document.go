package conform

import (
	"maps"
	"net/http"
	"strings"
)

// Document is an OpenAPI document that Read has understood. Safe for concurrent use.
type Document struct {
	root       object
	operations []*Operation
}

// Operation is one method of one path.
type Operation struct {
	ID, Method, Path string
	Permission       string // of a management key: read, write, manage, or none
	Reach            string // "" = the realm that the call names; path = that in the path; all = a key for all realms
	Parameters       []object

	node object
}

// Operations returns all operations, by path.
func (d *Document) Operations() []*Operation { return d.operations }

// Find returns the operation that a call is of, by its method and its path as it was sent; nil where there is none.
// HEAD is GET. Of several paths that match, the one with the most words of its own is meant.
func (d *Document) Find(method, path string) *Operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	meant, most := "", -1
	for _, o := range d.operations {
		if words := match(o.Path, path); words > most {
			meant, most = o.Path, words
		}
	}
	for _, o := range d.operations {
		if o.Path == meant && o.Method == method {
			return o
		}
	}
	return nil
}

// match returns how many segments of a pattern are words, or -1 where a path does not match it.
func match(pattern, path string) int {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return -1
	}
	words := 0
	for i, w := range want {
		switch {
		case strings.HasPrefix(w, "{") && got[i] != "":
		case w == got[i]:
			words++
		default:
			return -1
		}
	}
	return words
}

// PathParameters returns the names of the parameters in the path, in their order there.
func (o *Operation) PathParameters() (names []string) {
	for _, p := range o.Parameters {
		if p["in"] == "path" {
			names = append(names, p["name"].(string))
		}
	}
	return names
}

// Schema returns a schema of the document, to hold values against; nil where it has none of this name.
func (d *Document) Schema(name string) any {
	if s := d.resolve("#/components/schemas/" + name); s != nil {
		return s
	}
	return nil
}

// BodySchema returns what is sent to an operation in a media type; nil where the document says nothing of that.
func (d *Document) BodySchema(o *Operation, media string) any {
	content, _ := d.follow(o.node["requestBody"])["content"].(object)
	form, _ := content[media].(object)
	return form["schema"]
}

// Members returns the members of an object that a schema names, those of each choice among them, with their schemas, and which
// of them are always there.
func (d *Document) Members(schema any) (members map[string]any, required map[string]bool) {
	s := d.follow(schema)
	members, required = map[string]any{}, map[string]bool{}
	properties, _ := s["properties"].(object)
	maps.Copy(members, properties)
	for _, name := range list(s["required"]) {
		required[name.(string)] = true
	}
	for _, part := range list(s["allOf"]) {
		m, r := d.Members(part)
		maps.Copy(members, m)
		maps.Copy(required, r)
	}
	for i, choice := range list(s["oneOf"]) {
		m, r := d.Members(choice)
		maps.Copy(members, m)
		maps.DeleteFunc(required, func(name string, _ bool) bool { return i > 0 && !r[name] })
		if i == 0 {
			maps.Copy(required, r)
		}
	}
	return members, required
}
