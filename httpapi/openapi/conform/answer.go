package conform

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

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
	if method == http.MethodHead {
		return wrong
	}
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	content, _ := answer["content"].(object)
	form, there := content[media].(object)
	switch schema := form["schema"]; {
	case media == "" && content == nil:
		return wrong
	case !there:
		return append(wrong, fmt.Sprintf("media type %q of status %d is not in the document", media, status))
	case schema == nil || !strings.HasSuffix(media, "json"):
		return wrong
	default:
		return append(wrong, d.values(schema, media, body)...)
	}
}

// values holds a body of JSON, or each line of NDJSON, against a schema.
func (d *Document) values(schema any, media string, body []byte) (wrong []string) {
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
