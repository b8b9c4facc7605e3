package core

import (
	"fmt"
	"slices"
	"strings"
)

// MergeFields are the fields that a template of an e-mail may name as {{field}}.
var MergeFields = []string{
	"user.id", "user.username", "user.email", "user.name", "user.first_name", "user.last_name", "user.reference",
	"realm.id", "realm.name", "event.id", "event.type", "event.at", "request.ip", "request.client",
	"token",       // of events that carry one
	"token.until", // when it expires
	"link",        // to the page where the token is spent
}

// Template is a text with merge fields. There is nothing else to it: no conditions, no loops, nothing that a value could
// be taken for.
type Template struct{ parts []templatePart }

// templatePart is a text, or a field that is replaced by its value.
type templatePart struct{ text, field string }

// ParseTemplate reads a template. Its errors say, as the end of a sentence, what is wrong.
func ParseTemplate(text string) (Template, error) {
	var t Template
	for {
		before, rest, found := strings.Cut(text, "{{")
		t.parts = append(t.parts, templatePart{text: before})
		if !found {
			return t, nil
		}
		field, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return Template{}, fmt.Errorf("has a {{ that is not closed")
		}
		if field = strings.TrimSpace(field); !slices.Contains(MergeFields, field) {
			return Template{}, fmt.Errorf("names %.40q, which is no merge field", field)
		}
		t.parts = append(t.parts, templatePart{field: field})
		text = after
	}
}

// Merge returns the text with value(field) in place of each field. What a value holds is never read as a field.
func (t Template) Merge(value func(field string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.field != "" {
			b.WriteString(value(p.field))
		}
	}
	return b.String()
}
