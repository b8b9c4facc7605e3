package httpapi

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// either takes a text from the object, or from beside it. One that is missing or null in both gives nil.
func (b *body) either(name string) *string {
	inside, beside := b.object.text(name), b.top.text(name)
	if inside != nil {
		return inside
	}
	return beside
}

// texts takes an array of texts, or one that stands alone. One that is missing or null gives nil.
func (f *fields) texts(name string) []string {
	raw, there := f.take(name)
	if !there || string(raw) == "null" {
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	list := []string{}
	if !f.read(raw, &list) {
		f.complain(name, "must be a text or an array of texts")
	}
	return list
}

// read reads what is no text, and reports whether it could. null leaves it as it is.
func (f *fields) read(raw json.RawMessage, to any) bool {
	return json.Unmarshal(raw, to) == nil || (f.form || isQuoted(raw)) && json.Unmarshal(formValue(raw, to), to) == nil
}

// isQuoted reports whether there is a text with nothing but a number or a truth in it: "60" or "true". Apps hand on in JSON what
// their own web forms have sent them. An empty text is not nothing there: it could mean that a limit goes.
func isQuoted(raw json.RawMessage) bool {
	text, err := unquote(raw)
	_, notNumber := strconv.ParseFloat(text, 64)
	return err == nil && (notNumber == nil || text == "true" || text == "false")
}

// flag takes a truth. One that is missing or null is false.
func (f *fields) flag(name string) bool {
	raw, there := f.take(name)
	var on bool
	if there && !f.read(raw, &on) {
		f.complain(name, "must be true or false")
	}
	return on
}

// time takes a time in seconds since the epoch. One that is missing gives nil, null the zero time.
func (f *fields) time(name string) *time.Time {
	raw, there := f.take(name)
	if !there {
		return nil
	}
	var t wire.Time
	if !f.read(raw, &t) {
		f.complain(name, "must be a number of seconds since 1970")
	}
	return &t.Time
}

// reference takes an app's own id of something, which is a text here. Apps that have numbers send numbers.
func (f *fields) reference() *string {
	raw := f.members.value("reference")
	if raw == nil {
		return nil
	}
	if _, err := strconv.ParseInt(string(raw), 10, 64); err != nil {
		return f.optional("reference")
	}
	f.ignore("reference")
	return new(string(raw))
}

// orEmpty returns a text that may be missing.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// custom takes custom attributes. Those that are missing give nil.
func (f *fields) custom() *core.Custom {
	raw, there := f.take("custom")
	if !there {
		return nil
	}
	custom := core.Custom{}
	if !isEmptyArray(raw) && json.Unmarshal(raw, &custom) != nil {
		f.complain("custom", "must be an object")
	}
	for name, value := range custom {
		if f.form {
			custom[name] = formArray(value)
		}
	}
	return &custom
}
