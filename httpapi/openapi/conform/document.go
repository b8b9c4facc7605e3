package conform

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
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

// methods are those that an operation can be of.
var methods = []string{"get", "post", "put", "delete"}

// formats are those that are known, with what they ask for.
var formats = map[string]func(string) bool{
	"date":      func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
	"date-time": func(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil },
	"uuid":      regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString,
}

// types are those of JSON Schema.
var types = []any{"object", "array", "string", "number", "integer", "boolean", "null"}

// keywords are those of a schema that are known, with what is right to say in each.
var keywords = map[string]func(any) bool{
	"$ref": isText, "title": isText, "description": isText,
	"type": func(v any) bool {
		return !slices.ContainsFunc(oneOrMore(v), func(t any) bool { return !slices.Contains(types, t) })
	},
	"properties": isObject, "required": isList, "additionalProperties": func(any) bool { return true },
	"items": isObject, "allOf": isList, "oneOf": isList, "enum": isList, "examples": isList,
	"const": func(any) bool { return true }, "default": func(any) bool { return true },
	"pattern": func(v any) bool { _, err := regexp.Compile(fmt.Sprint(v)); return err == nil },
	"format":  func(v any) bool { return formats[fmt.Sprint(v)] != nil },
	"minimum": isNumber, "maximum": isNumber, "minLength": isNumber, "maxLength": isNumber,
	"minItems": isNumber, "maxItems": isNumber, "minProperties": isNumber,
	"deprecated": func(any) bool { return true },
}

func isText(v any) bool   { _, ok := v.(string); return ok }
func isObject(v any) bool { _, ok := v.(object); return ok }
func isList(v any) bool   { _, ok := v.([]any); return ok }
func isNumber(v any) bool { _, ok := number(v); return ok }

// Read reads a document. It refuses keywords that it does not know, references that lead nowhere, and examples that are
// none.
func Read(text []byte) (*Document, error) {
	value, err := Decode(text)
	if err != nil {
		return nil, err
	}
	root, ok := value.(object)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	d := &Document{root: root}
	if errs := d.references("#", root); errs != nil {
		return nil, errors.Join(errs...)
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d, nil
}

// references returns the references that lead nowhere.
func (d *Document) references(at string, value any) (errs []error) {
	switch v := value.(type) {
	case object:
		for name, inner := range v {
			if ref, ok := inner.(string); ok && name == "$ref" && d.resolve(ref) == nil {
				errs = append(errs, fmt.Errorf("%s: %s leads nowhere", at, ref))
			}
			errs = append(errs, d.references(at+"/"+name, inner)...)
		}
	case []any:
		for i, inner := range v {
			errs = append(errs, d.references(fmt.Sprint(at, "/", i), inner)...)
		}
	}
	return errs
}

// resolve returns what a reference leads to; nil where that is nothing.
func (d *Document) resolve(ref string) object {
	at := d.root
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	for name := range strings.SplitSeq(path, "/") {
		at, _ = at[name].(object)
	}
	return at
}

// follow returns what stands for a value: itself, or what it refers to.
func (d *Document) follow(value any) object {
	v, _ := value.(object)
	if ref, ok := v["$ref"].(string); ok {
		return d.follow(d.resolve(ref))
	}
	return v
}

// read reads schemas and operations.
func (d *Document) read() error {
	var errs []error
	schemas, _ := d.resolve("#/components")["schemas"].(object)
	for name, schema := range schemas {
		errs = append(errs, d.schema(name, schema)...)
	}
	paths, _ := d.root["paths"].(object)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(object)
		for _, method := range methods {
			node, there := item[method].(object)
			if !there {
				continue
			}
			o := &Operation{Method: strings.ToUpper(method), Path: path, node: node}
			o.ID, _ = node["operationId"].(string)
			o.Permission, _ = node["x-postern-permission"].(string)
			o.Reach, _ = node["x-postern-reach"].(string)
			for _, p := range append(slices.Clone(list(item["parameters"])), list(node["parameters"])...) {
				o.Parameters = append(o.Parameters, d.follow(p))
			}
			d.operations = append(d.operations, o)
			errs = append(errs, d.operation(o)...)
		}
	}
	return errors.Join(errs...)
}

// operation returns what is wrong with the schemas of an operation.
func (d *Document) operation(o *Operation) (errs []error) {
	at := o.Method + " " + o.Path
	for _, p := range o.Parameters {
		errs = append(errs, d.schema(at+" "+fmt.Sprint(p["name"]), p["schema"])...)
	}
	contents := []object{d.follow(o.node["requestBody"])}
	answers, _ := o.node["responses"].(object)
	for _, answer := range answers {
		contents = append(contents, d.follow(answer))
	}
	for _, c := range contents {
		content, _ := c["content"].(object)
		for media, inner := range content {
			if schema, there := inner.(object)["schema"]; there {
				errs = append(errs, d.schema(at+" "+media, schema)...)
			}
		}
	}
	return errs
}

// schema returns what is wrong with a schema.
func (d *Document) schema(at string, schema any) (errs []error) {
	s, ok := schema.(object)
	if !ok {
		return []error{fmt.Errorf("%s: a schema is missing", at)}
	}
	for keyword, value := range s {
		if right := keywords[keyword]; right == nil {
			errs = append(errs, fmt.Errorf("%s: the keyword %q is not known", at, keyword))
		} else if !right(value) {
			errs = append(errs, fmt.Errorf("%s: %s cannot be %v", at, keyword, value))
		}
	}
	if errs != nil {
		return errs
	}
	properties, _ := s["properties"].(object)
	for name, inner := range properties {
		errs = append(errs, d.schema(at+"."+name, inner)...)
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if inner, there := s[name]; there && inner != true && inner != false {
			errs = append(errs, d.schema(at+"."+name, inner)...)
		}
	}
	for i, inner := range append(slices.Clone(list(s["allOf"])), list(s["oneOf"])...) {
		errs = append(errs, d.schema(fmt.Sprint(at, "/", i), inner)...)
	}
	if errs != nil {
		return errs
	}
	for _, example := range list(s["examples"]) {
		for _, wrong := range d.check("$", s, example) {
			errs = append(errs, fmt.Errorf("%s: its example: %s", at, wrong))
		}
	}
	return errs
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

// Answer holds an answer to an operation against the document, and returns all that is wrong: a status or media type that
// is not listed, a header that is missing or not listed, a body that does not fit, of NDJSON any line. To HEAD there is no body.
func (d *Document) Answer(o *Operation, method string, status int, header http.Header, body []byte) []string {
	answers, _ := o.node["responses"].(object)
	answer := d.follow(answers[fmt.Sprint(status)])
	if answer == nil {
		return []string{fmt.Sprintf("status %d is not in the document", status)}
	}
	var wrong []string
	headers, _ := answer["headers"].(object)
	for name, h := range headers {
		wrong = append(wrong, d.header(name, d.follow(h), header)...)
	}
	for name := range header {
		if !isNamed(headers, name) && !slices.Contains(assumed, name) {
			wrong = append(wrong, "header "+name+" is not in the document")
		}
	}
	content, _ := answer["content"].(object)
	if method == http.MethodHead {
		return wrong
	}
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	if media == "" && content == nil {
		return wrong
	}
	form, there := content[media].(object)
	if !there {
		return append(wrong, fmt.Sprintf("media type %q of status %d is not in the document", media, status))
	}
	schema, there := form["schema"]
	if !there || !strings.HasSuffix(media, "json") {
		return wrong
	}
	values := [][]byte{body}
	if strings.HasSuffix(media, "ndjson") {
		values = slices.Collect(bytes.Lines(body))
	}
	for _, text := range values {
		value, err := Decode(text)
		if err != nil {
			return append(wrong, err.Error())
		}
		wrong = append(wrong, d.Check(schema, value)...)
	}
	return wrong
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

// Body holds what is sent to an operation in a media type against the document, and returns all that is wrong.
func (d *Document) Body(o *Operation, media string, body []byte) []string {
	schema := d.BodySchema(o, media)
	if schema == nil {
		return []string{fmt.Sprintf("media type %q of the body is not in the document", media)}
	}
	value, err := Decode(body)
	if err != nil {
		return []string{err.Error()}
	}
	return d.Check(schema, value)
}

// assumed are headers that a document need not list: HTTP's own, and what is told to browsers.
var assumed = []string{
	"Access-Control-Allow-Origin", "Cache-Control", "Content-Encoding", "Content-Length", "Content-Security-Policy", "Content-Type",
	"Cross-Origin-Opener-Policy", "Date", "Referrer-Policy", "Vary", "X-Content-Type-Options", "X-Frame-Options",
}

// isNamed reports whether a document lists a header, in whichever case.
func isNamed(headers object, name string) bool {
	for listed := range headers {
		if http.CanonicalHeaderKey(listed) == name {
			return true
		}
	}
	return false
}

// header holds a header against what the document says of it. All are texts; a number is checked as one.
func (d *Document) header(name string, h object, sent http.Header) []string {
	text := sent.Get(name)
	if text == "" {
		if h["required"] == true {
			return []string{"header " + name + " is missing"}
		}
		return nil
	}
	schema, _ := h["schema"].(object)
	var value any = text
	if schema["type"] == "integer" {
		var err error
		if value, err = Decode([]byte(text)); err != nil {
			return []string{fmt.Sprintf("header %s is %q; want a number", name, text)}
		}
	}
	var wrong []string
	for _, w := range d.Check(schema, value) {
		wrong = append(wrong, "header "+name+": "+w)
	}
	return wrong
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
