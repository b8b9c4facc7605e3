package failure

import (
	"fmt"
	"html"
	"net/http"
)

// page is a failure for people. It loads nothing.
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>%[1]s</title>
<h1>%[1]s</h1>
<p>%[2]s</p>
%[4]s<p><small>Request %[3]s</small></p>
</html>
`

// Link is where a page leads on; its zero value leads nowhere. With NewTab the page stays where it is.
type Link struct {
	To, Text string
	NewTab   bool
}

// html returns the link as a line of a page.
func (l Link) html() string {
	if l.To == "" {
		return ""
	}
	target := ""
	if l.NewTab {
		target = ` target="_blank"`
	}
	return fmt.Sprintf("<p><a href=\"%s\"%s>%s</a></p>\n", html.EscapeString(l.To), target, html.EscapeString(l.Text))
}

// WritePage answers with a page for people, which says id for them to tell to whoever runs the service, and leads on to where on says. Pages of
// the same origin may have it in a frame, in the place of what was asked for there.
func WritePage(w http.ResponseWriter, status int, title, detail, id string, on Link) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, page, html.EscapeString(title), html.EscapeString(detail), html.EscapeString(id), on.html()) // a browser that left
}
