package fastjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// Unmarshal reads text into what v points to, as encoding/json's Unmarshal does, and fails where that fails. What Marshal
// wrote it reads in one go. A text of another form, with spaces, escapes, fields in another order or that are not known, is
// left to encoding/json.
func Unmarshal(text []byte, v any) error {
	at := reflect.ValueOf(v)
	if at.Kind() == reflect.Pointer && !at.IsNil() {
		r := &reader{text: text}
		if planOf(at.Type().Elem()).read(r, at.Elem()) && r.at == len(text) {
			return nil
		}
	}
	return json.Unmarshal(text, v) // which writes over all that was read so far
}

// reader is a place in a text.
type reader struct {
	text   []byte
	at     int
	copied string // text, from the first part of it on that was taken
}

// part returns what stands between two places. All parts share one copy: records have many short texts.
func (r *reader) part(begin, end int) string {
	if r.copied == "" {
		r.copied = string(r.text)
	}
	return r.copied[begin:end]
}

// next returns the byte that comes next, or 0 at the end.
func (r *reader) next() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// passed passes over a byte, if it comes next.
func (r *reader) passed(b byte) bool {
	if r.next() != b {
		return false
	}
	r.at++
	return true
}

// word passes over a word, if it comes next.
func (r *reader) word(word string) bool {
	if len(r.text)-r.at < len(word) || string(r.text[r.at:r.at+len(word)]) != word {
		return false
	}
	r.at += len(word)
	return true
}

func (r *reader) null() bool { return r.word("null") }

// quoted passes over a text without escapes, and returns what is in its quotes.
func (r *reader) quoted() ([]byte, bool) {
	if !r.passed('"') {
		return nil, false
	}
	ascii := true
	for i := r.at; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			text := r.text[r.at:i]
			r.at = i + 1
			return text, ascii || utf8.Valid(text)
		case c < ' ' || c == '\\':
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false
}

// integer passes over an integer, and returns it as it stands.
func (r *reader) integer() ([]byte, bool) {
	begin := r.at
	r.passed('-')
	digits := r.at
	for c := r.next(); c >= '0' && c <= '9'; c = r.next() {
		r.at++
	}
	n := r.at - digits
	whole := r.next() == ',' || r.next() == '}' || r.next() == ']'
	return r.text[begin:r.at], whole && n > 0 && (n == 1 || r.text[digits] != '0')
}

// other passes over a value of any kind without looking into it, and returns it.
func (r *reader) other() ([]byte, bool) {
	begin, depth := r.at, 0
	for ; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '"':
			end := bytes.IndexAny(r.text[r.at+1:], `"\`)
			if end < 0 || r.text[r.at+1+end] == '\\' {
				return nil, false
			}
			r.at += 1 + end
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return r.text[begin:r.at], true
			}
			if r.text[r.at] != ',' {
				depth--
			}
		}
	}
	return nil, false
}

// readOther has encoding/json read a value.
func readOther(r *reader, v reflect.Value) bool {
	text, ok := r.other()
	return ok && json.Unmarshal(text, v.Addr().Interface()) == nil
}

// readUnmarshaler has a type read itself. encoding/json shows it nothing but valid JSON.
func readUnmarshaler(r *reader, v reflect.Value) bool {
	begin := r.at
	text, ok := r.integer()
	if !ok {
		r.at = begin
		return readOther(r, v)
	}
	return v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(text) == nil
}

func readText(r *reader, v reflect.Value) bool {
	text, ok := r.quoted()
	if ok {
		v.SetString(r.part(r.at-1-len(text), r.at-1))
	}
	return ok
}

func readBool(r *reader, v reflect.Value) bool {
	is := r.word("true")
	if !is && !r.word("false") {
		return false
	}
	v.SetBool(is)
	return true
}

func readInt(r *reader, v reflect.Value) bool {
	text, ok := r.integer()
	if !ok {
		return false
	}
	n, err := strconv.ParseInt(string(text), 10, v.Type().Bits())
	v.SetInt(n)
	return err == nil
}

func readUint(r *reader, v reflect.Value) bool {
	text, ok := r.integer()
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(string(text), 10, v.Type().Bits())
	v.SetUint(n)
	return err == nil
}

// structReader returns what reads a struct with these fields, which come in their order and none twice.
func structReader(fields []field) func(*reader, reflect.Value) bool {
	return func(r *reader, v reflect.Value) bool {
		if !r.passed('{') {
			return false
		}
		if r.passed('}') {
			return true
		}
		for i := 0; i < len(fields); i++ {
			f := &fields[i]
			if !r.word(f.name) {
				continue
			}
			if !f.read(r, v.Field(f.at)) {
				return false
			}
			if r.passed('}') {
				return true
			}
			if !r.passed(',') {
				return false
			}
		}
		return false
	}
}

// list reads an array into a slice that is empty.
func (r *reader) list(one *plan, v reflect.Value) bool {
	if r.null() {
		v.SetZero()
		return true
	}
	if !r.passed('[') || v.Len() > 0 {
		return false
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	if r.passed(']') {
		return true
	}
	for n := 0; ; n++ {
		v.Grow(1)
		v.SetLen(n + 1)
		if !one.read(r, v.Index(n)) {
			return false
		}
		if r.passed(']') {
			return true
		}
		if !r.passed(',') {
			return false
		}
	}
}
