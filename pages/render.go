package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"
)

//go:embed templates
var files embed.FS

// style is the style sheet, which stands in every page so that a page is one request.
var style = func() string {
	text, err := files.ReadFile("templates/style.css")
	if err != nil {
		panic(err) // it is built in
	}
	return string(text)
}()

// templates are the pages by the names of their files, each within frame.html.
var templates = func() map[string]*template.Template {
	frame := template.Must(template.New("frame.html").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) },
	}).ParseFS(files, "templates/frame.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"signin.html", "secondfactor.html", "signout.html", "message.html"} {
		all[name] = template.Must(template.Must(frame.Clone()).ParseFS(files, "templates/"+name))
	}
	return all
}()

// view is what every page shows.
type view struct {
	Title string // of the page
	Site  string // what people sign in to
	Mount string
	Form  any
}

// policyFor returns the Content-Security-Policy of the pages: nothing is loaded, nobody frames them, and forms go nowhere
// else. Browsers hold a form's redirects to the same rule, so it names where one may return to.
func policyFor(origins []string) string {
	sum := sha256.Sum256([]byte(style))
	targets := strings.Join(slices.Concat([]string{"'self'"}, origins), " ")
	return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action %s; base-uri 'none'; frame-ancestors 'none'",
		base64.StdEncoding.EncodeToString(sum[:]), targets)
}

// settle sets the headers that every page has.
func (p *Pages) settle(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers would not say either that a form is ours
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// render answers with a page.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, name, title string, form any) {
	site := p.o.Title
	if site == "" {
		site = r.Host
	}
	var text bytes.Buffer
	if err := templates[name].Execute(&text, view{Title: title, Site: site, Mount: p.o.Mount, Form: form}); err != nil {
		p.o.Logger.Error("page failed", zap.Error(err))
		http.Error(w, "Something went wrong on our side.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // a browser that left
}

// say answers with a page that only says something.
func (p *Pages) say(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	p.render(w, r, status, "message.html", title, text)
}
