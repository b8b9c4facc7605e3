package fastjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Append appends v as encoding/json's Marshal writes it, and fails where that fails.
func Append(b []byte, v any) ([]byte, error) {
	at := reflect.ValueOf(v)
	if at.Kind() != reflect.Pointer || at.IsNil() {
		if !at.IsValid() || at.Kind() == reflect.Pointer {
			return append(b, "null"...), nil
		}
		copied := reflect.New(at.Type()).Elem()
		copied.Set(at)
		at = copied.Addr()
	}
	return planOf(at.Type().Elem()).write(b, at.Elem())
}

// Marshal returns v as encoding/json's Marshal does.
func Marshal(v any) (text []byte, err error) {
	err = Use(v, func(lent []byte) { text = bytes.Clone(lent) })
	return text, err
}

// Use has somebody use what Marshal returns. The text is lent: use must not keep it. It is not called where Marshal fails.
func Use(v any, use func(text []byte)) error {
	room := rooms.Get().(*[]byte)
	text, err := Append((*room)[:0], v)
	if cap(text) <= maxRoom {
		*room = text
		defer rooms.Put(room)
	}
	if err == nil {
		use(text)
	}
	return err
}

// rooms are where texts grow until their length is known; longer ones than maxRoom are not kept.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

const maxRoom = 64 << 10 // bytes

// writeOther has encoding/json write a value.
func writeOther(b []byte, v reflect.Value) ([]byte, error) {
	text, err := json.Marshal(v.Addr().Interface())
	return append(b, text...), err
}

func writeAppender(b []byte, v reflect.Value) ([]byte, error) {
	return v.Addr().Interface().(Appender).AppendJSON(b), nil
}

func writeText(b []byte, v reflect.Value) ([]byte, error) {
	text := v.String()
	if !isSafe(text) {
		quoted, err := json.Marshal(text)
		return append(b, quoted...), err
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"'), nil
}

// isSafe reports whether a text stands in JSON as it is, HTML's characters and the line ends of JavaScript apart.
func isSafe(text string) bool {
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(text) && !strings.Contains(text, "\u2028") && !strings.Contains(text, "\u2029")
}

func writeBool(b []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendBool(b, v.Bool()), nil
}

func writeInt(b []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendInt(b, v.Int(), 10), nil
}

func writeUint(b []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendUint(b, v.Uint(), 10), nil
}

// writeMap writes a map itself where there is nothing in it, as in most.
func writeMap(b []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() || v.Len() > 0 {
		return writeOther(b, v)
	}
	return append(b, "{}"...), nil
}

// structWriter returns what writes a struct with these fields.
func structWriter(fields []field) func([]byte, reflect.Value) ([]byte, error) {
	return func(b []byte, v reflect.Value) (_ []byte, err error) {
		next := byte('{')
		for i := range fields {
			f := &fields[i]
			value := v.Field(f.at)
			if f.leave != nil && f.leave(value) {
				continue
			}
			b = append(append(b, next), f.name...)
			if b, err = f.write(b, value); err != nil {
				return b, err
			}
			next = ','
		}
		if next == '{' {
			b = append(b, '{')
		}
		return append(b, '}'), nil
	}
}

// pointerPlan makes the plan of a pointer. It is filled in when it is first used, as types may point to themselves.
func pointerPlan(t reflect.Type) *plan {
	return &plan{
		write: func(b []byte, v reflect.Value) ([]byte, error) {
			if v.IsNil() {
				return append(b, "null"...), nil
			}
			return planOf(t.Elem()).write(b, v.Elem())
		},
		read: func(r *reader, v reflect.Value) bool {
			if r.null() {
				v.SetZero()
				return true
			}
			if v.IsNil() {
				v.Set(reflect.New(t.Elem()))
			}
			return planOf(t.Elem()).read(r, v.Elem())
		},
	}
}

// listPlan makes the plan of a slice.
func listPlan(t reflect.Type) *plan {
	return &plan{
		write: func(b []byte, v reflect.Value) (_ []byte, err error) {
			if v.IsNil() {
				return append(b, "null"...), nil
			}
			b = append(b, '[')
			one := planOf(t.Elem())
			for i := range v.Len() {
				if i > 0 {
					b = append(b, ',')
				}
				if b, err = one.write(b, v.Index(i)); err != nil {
					return b, err
				}
			}
			return append(b, ']'), nil
		},
		read: func(r *reader, v reflect.Value) bool { return r.list(planOf(t.Elem()), v) },
	}
}
