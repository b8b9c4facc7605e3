package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the style sheet
	"encoding/base64"
	"fmt"
	"net/http"

	"go.uber.org/zap"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/postern-auth/postern/internal/failure"
)

// style is the style sheet, which stands in every page so that a page is one request.
//
//go:embed style.css
var style string

// frame is what all pages have in common. What is put into a page as text or as an attribute is escaped.
func frame(title, site string, content g.Node) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.Meta(h.Name("robots"), h.Content("noindex")),
			h.TitleEl(g.Text(title+" – "+site)),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(h.Main(
			h.P(h.Class("site"), g.Text(site)),
			h.H1(g.Text(title)),
			content,
		)),
	))
}

// problemID is where the page says what was wrong; the fields that this is about refer to it.
const problemID = "problem"

// problem says what was wrong with the last try, if anything.
func problem(text string) g.Node {
	return g.If(text != "", h.P(h.Class("problem"), h.ID(problemID), h.Role("alert"), g.Text(text)))
}

// aboutProblem is the attribute of a field that a problem is about.
func aboutProblem(text string) g.Node { return g.If(text != "", h.Aria("describedby", problemID)) }

// returnTo carries on where the person is to go in the end.
func returnTo(to string) g.Node { return hidden("return_to", to) }

// hidden is a field that nobody sees.
func hidden(name, value string) g.Node {
	return h.Input(h.Type("hidden"), h.Name(name), h.Value(value))
}

// asTyped are the attributes of a field that a telephone must not correct.
func asTyped() g.Node {
	return g.Group{g.Attr("autocapitalize", "none"), g.Attr("spellcheck", "false")}
}

// policy returns the Content-Security-Policy of the pages: nothing is loaded, nobody frames them, and forms go nowhere else. Browsers hold
// a form's redirects to the same rule, so none leads elsewhere: see goOn.
func policy() string {
	sum := sha256.Sum256([]byte(style))
	return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(sum[:]))
}

// settle sets the headers that every page has.
func (p *Pages) settle(h http.Header, id string) {
	h.Set(failure.IDHeader, id)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers would not say either that a form is ours
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// render answers with a page.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, title string, content g.Node) {
	site := p.o.Title
	if site == "" {
		site = r.Host
	}
	if status >= http.StatusBadRequest && status != http.StatusUnauthorized && status != http.StatusTooManyRequests { // what people cannot mend by themselves
		content = g.Group{content, h.P(h.Small(g.Text("Request " + failure.IDOf(r))))}
	}
	var text bytes.Buffer
	if err := frame(title, site, content).Render(&text); err != nil {
		p.o.Logger.Error("page failed", zap.String("request_id", failure.IDOf(r)), zap.Error(err))
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // a browser that left
}

// say answers with a page that only says something.
func (p *Pages) say(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	p.render(w, r, status, title, g.Group{
		h.P(g.Text(text)),
		h.P(h.A(h.Href(p.SignInPath()), g.Text("To the sign-in page"))),
	})
}
