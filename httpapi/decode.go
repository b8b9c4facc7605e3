package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// Bounds of a body, and of what is told of it: whoever sends thousands of names that nobody knows needs no key for that.
const (
	maxBody       = 128 << 10 // bytes
	maxDepth      = 16
	maxComplaints = 20 // about one object
	maxName       = 64 // bytes of a name, as it is told
)

// fields are the members of a JSON object. Reading one takes it out, so that what is left at the end is what nobody
// asked for.
type fields struct {
	members object
	form    bool // they come from a form, in which every value is a text
	errs    []core.FieldError
}

// body is a decoded request body: the object that a call is about, and what stands beside it.
type body struct {
	top     fields // members beside the object
	object  fields // the object under its root
	request core.Request
	expand  []string // parts of the answer that are asked for
	wrapped bool     // JSON:API: the document had a data object
	devices bool     // the request attributes name a device, if only an empty one: the caller keeps them
}

// readBody reads the body of a call about an object that is named root in plain JSON: {"user":{...}}. A missing one is
// like an empty object. It fails with KindMalformed.
func (c *call) readBody(w http.ResponseWriter, root string) (*body, error) {
	text, err := c.readText(w)
	if err != nil {
		return nil, err
	}
	c.body = &body{}
	if len(text) == 0 {
		return c.body, nil
	}
	if isCoded(c.Header) {
		return nil, errCoded
	}
	if c.wants.Sent == failure.OtherFamily {
		if !isForm(c.Header.Get("Content-Type")) {
			return nil, errMediaType
		}
		c.body.top.form, c.body.object.form = true, true
		if text, err = formObject(string(text)); err != nil {
			return nil, err
		}
	}
	if c.wants.Sent == failure.PlainJSON && isEmptyArray(text) {
		return c.body, nil
	}
	if c.body.top.members, err = parseObject(text); err != nil {
		return nil, err
	}
	if c.wants.Sent == failure.JSONAPI {
		err = c.body.unwrapDocument()
	} else {
		err = c.body.unwrap(root)
	}
	if err != nil {
		return nil, err
	}
	c.body.readRequest()
	c.body.expand = append(c.body.top.texts("expand"), c.body.object.texts("expand")...) // some clients put all that they are given inside
	return c.body, nil
}

// readText reads all that a call sends, up to maxBody.
func (c *call) readText(w http.ResponseWriter) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, c.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errTooLarge
	} else if err != nil {
		return nil, errBadRequest
	}
	return text, nil
}

// errCoded says that a body was compressed, or coded in another way, which would make its size a guess (RFC 9110 §8.4).
var errCoded = &core.Error{Kind: errMediaType.Kind, Code: errMediaType.Code, Detail: "send the body as it is, without a Content-Encoding"}

// isCoded reports whether a body is something else than its media type says.
func isCoded(h http.Header) bool {
	coding := h.Get("Content-Encoding")
	return coding != "" && !strings.EqualFold(coding, "identity")
}

// isEmptyArray reports whether JSON is an array of nothing, which stands for an object without members where an object is asked
// for: PHP has one kind of array for both, and writes [] for it when it is empty.
func isEmptyArray(text []byte) bool { return string(text) == "[]" }

// membersOrNone is members for an object that may be written as an empty array.
func membersOrNone(text []byte) object {
	if isEmptyArray(text) {
		return object{}
	}
	return members(text)
}

// unwrap takes the object from under its root.
func (b *body) unwrap(root string) error {
	raw, there := b.top.take(root)
	if !there {
		return nil
	}
	if b.object.members = membersOrNone(raw); b.object.members == nil {
		return errBadRequestWith(fmt.Sprintf("%q must be an object", root))
	}
	return nil
}

// errType says that a JSON:API document is about something else.
var errType = &core.Error{Kind: core.KindConflict, Code: "type_conflict", Detail: `the type of the resource must be "user"`}

// unwrapDocument takes the attributes from a JSON:API document with one user. The type may be left out, as some
// clients do; another is a conflict (JSON:API, "Creating Resources").
func (b *body) unwrapDocument() error {
	b.top.ignore("jsonapi", "links", "meta", "included")
	data, there := b.top.take("data")
	if !there {
		return nil
	}
	b.wrapped = true
	resource := members(data)
	if resource == nil {
		return errBadRequestWith(`"data" must be an object`)
	}
	if raw, there := resource.take("type"); there {
		var kind string
		if json.Unmarshal(raw, &kind) != nil || kind != "user" && kind != "users" {
			return errType
		}
	}
	if raw, there := resource.take("attributes"); there {
		if b.object.members = members(raw); b.object.members == nil {
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

// readRequest takes the request attributes from beside the object or, as older clients send them, from inside. What cannot be
// read is complained about: who states an address wants limits to go by it.
func (b *body) readRequest() {
	for _, f := range []*fields{&b.object, &b.top} {
		raw, there := f.take("request")
		if !there || string(raw) == "null" {
			continue
		}
		sent := fields{members: membersOrNone(raw)}
		if sent.members == nil {
			f.complain("request", "must be an object")
			continue
		}
		b.devices = b.devices || sent.members.has("device")
		for _, to := range []struct {
			name string
			text *string
		}{{"ip", &b.request.IP}, {"client", &b.request.Client}, {"device", &b.request.Device}} {
			if text := sent.text(to.name); text != nil {
				*to.text = *text
			}
		}
		for _, wrong := range sent.rest() {
			f.errs = append(f.errs, core.FieldError{Attribute: "request", Message: wrong.Message})
		}
	}
}

// end returns all complaints about a body, about members among them that nobody took.
func (b *body) end() error {
	errs := append(b.object.rest(), b.top.rest()...)
	if len(errs) == 0 {
		return nil
	}
	return &core.Error{Kind: core.KindInvalid, Code: "validation", Detail: "some attributes are not valid", Fields: errs}
}

// text takes a text. One that is missing or null gives nil.
func (f *fields) text(name string) *string {
	raw, there := f.take(name)
	if !there || string(raw) == "null" {
		return nil
	}
	s, err := unquote(raw)
	if err != nil {
		f.complain(name, "must be a text")
		return nil
	}
	return &s
}

// optional takes a text where null means to empty it.
func (f *fields) optional(name string) *string {
	if string(f.members.value(name)) == "null" {
		f.ignore(name)
		return new(string)
	}
	return f.text(name)
}

// take takes a member as it was sent.
func (f *fields) take(name string) (json.RawMessage, bool) { return f.members.take(name) }

// ignore drops members that callers may send and that mean nothing here.
func (f *fields) ignore(names ...string) {
	for _, name := range names {
		f.members.take(name)
	}
}

// words turns the name of an attribute into what a sentence calls it.
var words = strings.NewReplacer("_", " ", "api_", "API ", "apt_", "APT ", "jwt_", "JWT ", "jti", "JTI")

// complain notes that an attribute is wrong: "First name must be a text". After maxComplaints it notes no more.
func (f *fields) complain(name, what string) {
	if len(f.errs) >= maxComplaints {
		return
	}
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "..."
	}
	label := words.Replace(name)
	f.errs = append(f.errs, core.FieldError{Attribute: name, Message: failure.Sentence(label) + " " + what})
}

// rest returns all complaints, about members among them that nobody took.
func (f *fields) rest() []core.FieldError {
	if len(f.members) == 0 { // as nearly always
		return f.errs
	}
	for _, name := range f.members.names() {
		f.complain(name, "is not an attribute that can be set here")
	}
	return f.errs
}

// errNotJSON says that a body is no JSON at all.
var errNotJSON = errBadRequestWith("it is not valid JSON")
