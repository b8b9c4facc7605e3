package guard

import (
	"net/http"
	"strings"
)

// maxTokenLength bounds what is taken for a token, in bytes. Core mints none that is longer.
const maxTokenLength = 8 << 10

// credential returns the one credential of a request, or why there is none to judge.
func credential(h http.Header) (token string, why *Refusal) {
	lines := h["Authorization"]
	switch {
	case len(lines) == 0:
		return "", &refuseAnonymous
	case len(lines) > 1:
		return "", &refuseSeveral
	case !isBearer(lines[0]): // a scheme that is not ours
		return "", &refuseAnonymous
	case len(lines[0]) > len("Bearer ")+maxTokenLength:
		return "", &refuseTooLong
	}
	token, ok := bearer(lines[0])
	if !ok {
		return "", &refuseMalformed
	}
	return token, nil
}

// isBearer reports whether the scheme of an Authorization header is Bearer, in any case (RFC 9110 §11.1).
func isBearer(value string) bool {
	const scheme = "Bearer"
	return len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) &&
		(len(value) == len(scheme) || value[len(scheme)] == ' ' || value[len(scheme)] == '\t')
}

// bearer returns the token of an Authorization header: "Bearer", spaces, and one word (RFC 6750 §2.1). Whether
// that can be a token is for core to say; one that was seen before is not looked at twice.
func bearer(value string) (token string, ok bool) {
	if !isBearer(value) || len(value) == len("Bearer") {
		return "", false
	}
	token = strings.TrimLeft(value[len("Bearer"):], " ")
	if token == "" || strings.IndexByte(token, ' ') >= 0 || token[0] == '\t' {
		return "", false
	}
	return token, true
}

// removeBearer removes the session token from what is passed on. Other schemes are the application's affair.
func removeBearer(h http.Header) {
	for _, line := range h["Authorization"] {
		if isBearer(line) {
			delete(h, "Authorization")
			return
		}
	}
}

// isPreflight reports whether r asks, before a cross-origin request, whether that would be allowed (Fetch
// Standard, "CORS-preflight request"). It carries no credentials.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}
