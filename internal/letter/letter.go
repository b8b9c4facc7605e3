// Package letter writes the e-mails of hooks: from a template of the hook's, or a built-in one, and what its merge fields
// stand for, to a subject, a plain form and an HTML form. It sends nothing.
package letter

import (
	"bytes"
	"embed"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"

	"github.com/postern-auth/postern/core"
)

// Letter is a written e-mail. HTML is "" where there is a plain form alone.
type Letter struct {
	Subject string // one line
	Text    string
	HTML    string
}

//go:embed templates
var builtIn embed.FS

// subjects are those of the built-in letters, which lie in templates/<type of event>.md.
var subjects = map[string]string{
	"user.email.verification_requested": "Confirm your e-mail address for {{realm.name}}",
	"user.password_token.created":       "Set a new password for {{realm.name}}",
	"user.created":                      "Welcome to {{realm.name}}",
}

// linkLine is a line with a link, and the blank one after it.
var linkLine = regexp.MustCompile(`(?m)^.*\{\{link\}\}.*\n\n`)

// Write writes the letter of an e-mail hook. What values hold is text in every form of it: markup in somebody's name is
// shown, and does nothing.
func Write(h *core.AppHook, fields map[string]string) (Letter, error) {
	subject, body, ours, err := source(h, fields["link"] != "")
	if err != nil {
		return Letter{}, err
	}
	head, err := core.ParseTemplate(subject)
	if err != nil {
		return Letter{}, fmt.Errorf("letter: subject %w", err)
	}
	t, err := core.ParseTemplate(body)
	if err != nil {
		return Letter{}, fmt.Errorf("letter: template %w", err)
	}
	value := func(field string) string { return fields[field] }
	l := Letter{Subject: oneLine(head.Merge(value))}
	switch {
	case ours: // its plain form is for people who never saw Markdown, and whose mail programs look for the ends of links
		l.HTML, err = markdown(t, value)
		l.Text = plain(l.HTML)
	case h.Letter.Renderer == core.RenderText:
		l.Text = t.Merge(value)
	case h.Letter.Renderer == core.RenderHTML:
		l.HTML = t.Merge(escaped(value))
	case h.Letter.Renderer == core.RenderHTMLText:
		l.HTML = t.Merge(escaped(value))
		l.Text = plain(l.HTML)
	default:
		l.Text = t.Merge(value)
		l.HTML, err = markdown(t, value)
	}
	return l, err
}

// source returns the templates of a hook's letter: its own, else those of the built-in one, which are ours and in Markdown. Without a
// link, lines with one are left out of those.
func source(h *core.AppHook, link bool) (subject, body string, ours bool, err error) {
	subject, body = h.Letter.Subject, h.Letter.Template
	kind := ""
	if len(h.EventTypes) == 1 {
		kind = h.EventTypes[0]
	}
	if subject == "" {
		subject = subjects[kind]
	}
	if body != "" {
		return subject, body, false, nil
	}
	text, err := builtIn.ReadFile("templates/" + kind + ".md")
	if err != nil {
		return "", "", false, fmt.Errorf("letter: there is none built in for %s", kind)
	}
	if body = string(text); !link { // nobody said where the page is
		body = linkLine.ReplaceAllString(body, "")
	}
	return subject, body, true, nil
}

// escaped returns values as they stand in HTML.
func escaped(value func(string) string) func(string) string {
	return func(field string) string { return html.EscapeString(value(field)) }
}

// oneLine keeps what a value brings into a subject from beginning a line of its own, and from being decoded: mail programs take =?utf-8?q?...?=
// for what it encodes (RFC 2047 §2), line ends among that.
func oneLine(s string) string {
	s = strings.ReplaceAll(s, "=?", "= ?")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// markdown makes HTML of a template in Markdown. The fields are put in afterwards, in place of words that stand for them
// meanwhile, so that what a value holds is never read as Markdown. HTML in the template is left out.
func markdown(t core.Template, value func(string) string) (string, error) {
	var fields []string
	source := t.Merge(func(field string) string {
		fields = append(fields, field)
		return standIn(len(fields) - 1)
	})
	var b bytes.Buffer
	if err := goldmark.Convert([]byte(source), &b); err != nil {
		return "", fmt.Errorf("letter: markdown: %w", err)
	}
	var pairs []string
	for i := range fields {
		pairs = append(pairs, standIn(i), html.EscapeString(value(fields[i])))
	}
	return strings.NewReplacer(pairs...).Replace(b.String()), nil
}

// standIn is the word for a field while Markdown is read: letters and digits alone, of which Markdown makes nothing.
func standIn(i int) string { return "mergeQ7x" + strconv.Itoa(i) + "Z" }
