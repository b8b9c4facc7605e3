package failure

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/postern-auth/postern/core"
)

// IDHeader is where a request, and each answer that tells of a failure, has its id.
const IDHeader = "X-Request-Id"

// idKey is where a host leaves the id of a request.
type idKey struct{}

// WithID returns r with an id that its host gave it, and that its log has.
func WithID(r *http.Request, id string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), idKey{}, id))
}

// HasID reports whether the host of a request gave it an id.
func HasID(r *http.Request) bool {
	_, has := r.Context().Value(idKey{}).(string)
	return has
}

// IDOf returns the id that its host gave a request, or else a new one.
func IDOf(r *http.Request) string {
	if id, has := r.Context().Value(idKey{}).(string); has {
		return id
	}
	return NewID()
}

// NewID returns an id that no other request has.
func NewID() string { return rand.Text() }

// maxID bounds an id from elsewhere, in bytes.
const maxID = 64

// SentID returns the id that a proxy gave a request, or "" where there is none, or several, or one that might be something else than an id: it is
// written to logs and pages. Only of a proxy that is trusted should it be taken; others could have their requests taken for somebody's.
func SentID(h http.Header) string {
	sent := h[IDHeader]
	if len(sent) != 1 || sent[0] == "" || len(sent[0]) > maxID || core.LooksLikeSecret(sent[0]) {
		return ""
	}
	for i := range len(sent[0]) {
		if !inIDs[sent[0][i]] {
			return ""
		}
	}
	return sent[0]
}

// inIDs are the characters that the ids of common proxies have.
var inIDs = func() (all [256]bool) {
	for _, c := range []byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.=:+/") {
		all[c] = true
	}
	return all
}()
