package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/httpapi/openapi"
)

// documentJSON serves GET /v1/openapi.json. It needs no key.
func (a *API) documentJSON(w http.ResponseWriter, _ *call) error {
	return writeReference(w, "application/json", openapi.JSON())
}

// documentYAML serves GET /v1/openapi.yaml. It needs no key.
func (a *API) documentYAML(w http.ResponseWriter, _ *call) error {
	return writeReference(w, "application/yaml", openapi.YAML())
}

// writeReference answers with what is built in, and holds nothing of anybody: it may be kept, and read from other sites.
func writeReference(w http.ResponseWriter, media string, text []byte) error {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", media)
	_, _ = w.Write(text) // a caller that has gone
	return nil
}
