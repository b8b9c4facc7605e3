package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
)

// Bounds of a body.
const (
	maxBody  = 128 << 10 // bytes
	maxDepth = 16
)

// fields are the members of a JSON object. Reading one takes it out, so that what is left at the end is what nobody
// asked for.
type fields struct {
	members map[string]json.RawMessage
	errs    []core.FieldError
}

// body is a decoded request body: the object that a call is about, and what stands beside it.
type body struct {
	top     fields // members beside the object
	object  fields // the object under the root, or the top level where a call has no root
	request core.Request
	wrapped bool // JSON:API: the document had a data object
}

// readBody reads the body of a call about one object, named root in plain JSON: {"user":{...}}. With root "" the
// members are the top level's. An empty body is an empty object. It fails with KindMalformed.
func (c *call) readBody(w http.ResponseWriter, root string) (*body, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, c.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errTooLarge
	} else if err != nil {
		return nil, errBadRequest
	}
	c.body = &body{}
	if len(text) == 0 {
		return c.body, nil
	}
	if c.sent == otherFamily {
		return nil, errMediaType
	}
	if c.body.top.members, err = parseObject(text); err != nil {
		return nil, err
	}
	if c.sent == jsonAPI {
		err = c.body.unwrapDocument()
	} else {
		err = c.body.unwrap(root)
	}
	if err != nil {
		return nil, err
	}
	c.body.readRequest()
	return c.body, nil
}

// unwrap takes the object from under its root.
func (b *body) unwrap(root string) error {
	if root == "" {
		b.object, b.top = b.top, fields{}
		return nil
	}
	raw, there := b.top.members[root]
	if !there {
		return nil
	}
	delete(b.top.members, root)
	var err error
	if b.object.members, err = parseObject(raw); err != nil {
		return errBadRequestWith(fmt.Sprintf("%q must be an object", root))
	}
	return nil
}

// errType says that a JSON:API document is about something else.
var errType = &core.Error{Kind: core.KindConflict, Code: "type_conflict", Detail: `the type of the resource must be "user"`}

// unwrapDocument takes the attributes from a JSON:API document with one user. The type may be left out, as some
// clients do; another is a conflict (JSON:API, "Creating Resources").
func (b *body) unwrapDocument() error {
	data, there := b.top.members["data"]
	if !there {
		return nil
	}
	b.wrapped = true
	resource, err := parseObject(data)
	if err != nil {
		return errBadRequestWith(`"data" must be an object`)
	}
	if raw, there := resource["type"]; there {
		var kind string
		if json.Unmarshal(raw, &kind) != nil || kind != "user" && kind != "users" {
			return errType
		}
	}
	if raw, there := resource["attributes"]; there {
		if b.object.members, err = parseObject(raw); err != nil {
			return errBadRequestWith(`"attributes" must be an object`)
		}
	}
	return nil
}

// errBadRequestWith says more of what could not be read.
func errBadRequestWith(more string) *core.Error {
	e := *errBadRequest
	e.Detail += ": " + more
	return &e
}

// readRequest takes the request attributes from beside the object or, as older clients send them, from inside. An
// unreadable one is passed over: it decides nothing.
func (b *body) readRequest() {
	for _, f := range []*fields{&b.object, &b.top} {
		raw, there := f.members["request"]
		if !there {
			continue
		}
		delete(f.members, "request")
		var sent struct{ Client, IP any }
		if json.Unmarshal(raw, &sent) == nil {
			b.request.Client, _ = sent.Client.(string)
			b.request.IP, _ = sent.IP.(string)
		}
	}
}

// text takes a text, which may be null or missing; both give nil unless null is to be told apart.
func (f *fields) text(name string) *string {
	raw, there := f.take(name)
	if !there || string(raw) == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		f.complain(name, "must be a text")
		return nil
	}
	return &s
}

// optional takes a text where null means to empty it.
func (f *fields) optional(name string) *string {
	if string(f.members[name]) == "null" {
		delete(f.members, name)
		return new(string)
	}
	return f.text(name)
}

// take takes a member as it was sent.
func (f *fields) take(name string) (json.RawMessage, bool) {
	raw, there := f.members[name]
	delete(f.members, name)
	return raw, there
}

// ignore drops members that callers may send and that mean nothing here.
func (f *fields) ignore(names ...string) {
	for _, name := range names {
		delete(f.members, name)
	}
}

// complain notes that an attribute is wrong: "First name must be a text".
func (f *fields) complain(name, what string) {
	label := strings.ReplaceAll(name, "_", " ")
	f.errs = append(f.errs, core.FieldError{Attribute: name, Message: sentence(label) + " " + what})
}

// end returns all complaints, about members among them that nobody took.
func (f *fields) end() error {
	for _, name := range sortedNames(f.members) {
		f.complain(name, "is not an attribute that can be set here")
	}
	if len(f.errs) == 0 {
		return nil
	}
	return &core.Error{Kind: core.KindInvalid, Code: "validation", Detail: "some attributes are not valid", Fields: f.errs}
}

// parseObject reads one strict JSON object: exact names, none twice at any depth, bounded depth, valid UTF-8, no
// bytes after it. It fails with KindMalformed.
func parseObject(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) {
		return nil, errBadRequestWith("it is not UTF-8")
	}
	if err := checkStrict(text); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, errBadRequestWith("it is not a JSON object")
	}
	return members, nil
}

// checkStrict walks through JSON and refuses what decoders disagree about.
func checkStrict(text []byte) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := walk(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errBadRequestWith("there is something after the JSON object")
	}
	return nil
}

// walk reads one value.
func walk(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return errBadRequestWith("it is not valid JSON")
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth++; depth > maxDepth {
		return errBadRequestWith("it is nested too deep")
	}
	names := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return errBadRequestWith("it is not valid JSON")
			}
			text, _ := name.(string)
			if names[text] {
				return errBadRequestWith("a name is there twice")
			}
			names[text] = true
		}
		if err := walk(d, depth); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errBadRequestWith("it is not valid JSON")
	}
	return nil
}
