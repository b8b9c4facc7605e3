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
<p><small>Request %[3]s</small></p>
</html>
`

// WritePage answers with a page for people, which says id for them to tell to whoever runs the service.
func WritePage(w http.ResponseWriter, status int, title, detail, id string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, page, html.EscapeString(title), html.EscapeString(detail), html.EscapeString(id)) // a browser that left
}
