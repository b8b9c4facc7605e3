package httpapi

import (
	"mime"
	"net/http"
	"strings"

	"github.com/postern-auth/postern/httpapi/openapi"
	"github.com/postern-auth/postern/internal/failure"
)

// What is told of the API itself: to everybody, without a key.

// documentJSON serves GET /v1/openapi.json.
func (a *API) documentJSON(w http.ResponseWriter, c *call) error {
	return writeFile(w, c, openapi.JSON())
}

// documentYAML serves GET /v1/openapi.yaml.
func (a *API) documentYAML(w http.ResponseWriter, c *call) error {
	return writeFile(w, c, openapi.YAML())
}

// referencePage serves GET /v1/docs: the document for people to read.
func (a *API) referencePage(w http.ResponseWriter, c *call) error {
	h, page := w.Header(), openapi.Page()
	h.Set("Content-Security-Policy", page.Policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	return writeFile(w, c, page)
}

// writeFile answers with what is built in, and holds nothing of anybody: it may be kept, and read from other sites.
func writeFile(w http.ResponseWriter, c *call, f openapi.File) error {
	h, text := w.Header(), f.Plain
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", f.Media)
	h.Add("Vary", "Accept-Encoding")
	if c.takesGzip() {
		h.Set("Content-Encoding", "gzip")
		text = f.Zipped
	}
	_, _ = w.Write(text) // a caller that has gone
	return nil
}

// takesGzip reports whether a caller takes an answer that is compressed with gzip, and says so by that name.
func (c *call) takesGzip() bool {
	for item := range strings.SplitSeq(strings.Join(c.Header["Accept-Encoding"], ","), ",") {
		if coding, parameters, _ := mime.ParseMediaType(item); coding == "gzip" {
			return !failure.IsZero(parameters["q"])
		}
	}
	return false
}
