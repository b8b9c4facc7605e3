package conform

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

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
