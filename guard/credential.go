package guard

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxTokenLength bounds what is taken for a credential, in bytes. Core mints none that is longer.
const maxTokenLength = 8 << 10

// sourceSet is a set of sources.
type sourceSet struct{ bearer, cookie, key bool }

// newSourceSet reads Settings.From. One that is not good is no set.
func newSourceSet(from []Source) (sourceSet, error) {
	var s sourceSet
	for i, source := range from {
		if slices.Contains(from[:i], source) {
			return sourceSet{}, fmt.Errorf("from: %s is there twice", source)
		}
		switch source {
		case SourceBearer:
			s.bearer = true
		case SourceCookie:
			s.cookie = true
		case SourceAPIKey:
			s.key = true
		default:
			return sourceSet{}, fmt.Errorf("from: there is no source %q; there are bearer, cookie and api_key", source)
		}
	}
	if len(from) == 0 {
		return sourceSet{}, fmt.Errorf("from: nobody could show who they are; name bearer, cookie or api_key")
	}
	return s, nil
}

// has reports whether source is in s.
func (s sourceSet) has(source Source) bool {
	return source == SourceBearer && s.bearer || source == SourceCookie && s.cookie || source == SourceAPIKey && s.key
}

// shown is a credential as a request shows it.
type shown struct {
	text   string
	source Source
}

// credential returns the one credential of a request, or why there is none to judge. One that came in a header counts as
// that, though a cookie says the same.
func (c *compiled) credential(h http.Header) (shown, *Refusal) {
	found, why := c.authorization(h["Authorization"])
	if why != nil {
		return shown{}, why
	}
	if c.sources.key {
		for _, key := range h[c.APIKeyHeader] {
			if found, why = found.and(shown{strings.Trim(key, " \t"), SourceAPIKey}); why != nil {
				return shown{}, why
			}
		}
	}
	if c.sources.cookie {
		for _, line := range h["Cookie"] {
			if found, why = found.andCookies(line, c.Cookie.Name); why != nil {
				return shown{}, why
			}
		}
	}
	if found.source == "" {
		return shown{}, &refuseAnonymous
	}
	return found, nil
}

// and adds one that was found after s. Two must be the same.
func (s shown) and(other shown) (shown, *Refusal) {
	switch {
	case other.text == "":
		return shown{}, &refuseEmpty
	case len(other.text) > maxTokenLength:
		return shown{}, &refuseTooLong
	case s.source == "":
		return other, nil
	case s.text != other.text || (s.source == SourceAPIKey) != (other.source == SourceAPIKey):
		return shown{}, &refuseDiffering
	}
	return s, nil
}

// authorization returns what Authorization headers show. A scheme that is not enabled is the application's affair.
func (c *compiled) authorization(lines []string) (shown, *Refusal) {
	if len(lines) == 0 || !c.sources.bearer && !c.sources.key {
		return shown{}, nil
	}
	if len(lines) > 1 {
		return shown{}, &refuseSeveral
	}
	line := lines[0]
	ours := c.sources.bearer && hasScheme(line, "Bearer") || c.sources.key && (hasScheme(line, "ApiKey") || hasScheme(line, "Basic"))
	switch {
	case !ours:
		return shown{}, nil
	case len(line) > len("Bearer ")+2*maxTokenLength:
		return shown{}, &refuseTooLong
	case hasScheme(line, "Basic"):
		key, ours := basicKey(line)
		if !ours {
			return shown{}, nil
		}
		return shown{}.and(shown{key, SourceAPIKey})
	}
	text, ok := word(line)
	if !ok {
		return shown{}, &refuseMalformed
	}
	if hasScheme(line, "ApiKey") {
		return shown{}.and(shown{text, SourceAPIKey})
	}
	return shown{}.and(shown{text, SourceBearer})
}

// hasScheme reports whether the scheme of an Authorization header is scheme, in any case (RFC 9110 §11.1).
func hasScheme(value, scheme string) bool {
	return len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) &&
		(len(value) == len(scheme) || value[len(scheme)] == ' ' || value[len(scheme)] == '\t')
}

// word returns what follows the scheme of an Authorization header: spaces, and one word (RFC 6750 §2.1). Whether
// that can be a token is for core to say; one that was seen before is not looked at twice.
func word(value string) (text string, ok bool) {
	_, text, found := strings.Cut(value, " ")
	text = strings.TrimLeft(text, " ")
	if !found || text == "" || strings.IndexByte(text, ' ') >= 0 || text[0] == '\t' {
		return "", false
	}
	return text, true
}

// basicKey returns the API key in a Basic header (RFC 7617): its password, where there is no user or the user is "api". It
// reports false for what is somebody else's user and password, or cannot be read.
func basicKey(line string) (key string, ours bool) {
	encoded, ok := word(line)
	if !ok {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", false
	}
	user, key, ok := strings.Cut(string(text), ":")
	return key, ok && (user == "" || user == "api")
}

// remove removes from a request what this guard takes for credentials, but the bearer token where it may be passed on. All
// else is the application's affair.
func (c *compiled) remove(h http.Header, passBearer bool) {
	for _, line := range h["Authorization"] {
		if c.isOurs(line) && !(passBearer && hasScheme(line, "Bearer")) {
			delete(h, "Authorization")
			break
		}
	}
	if c.sources.key {
		delete(h, c.APIKeyHeader)
	}
	if h["Cookie"] != nil {
		removeCookie(h, c.Cookie.Name)
		removeCookie(h, c.device)
	}
}

// isOurs reports whether an Authorization header holds a credential of an enabled source.
func (c *compiled) isOurs(line string) bool {
	if c.sources.bearer && hasScheme(line, "Bearer") || c.sources.key && hasScheme(line, "ApiKey") {
		return true
	}
	if c.sources.key && hasScheme(line, "Basic") {
		_, ours := basicKey(line)
		return ours
	}
	return false
}

// isPreflight reports whether r asks, before a cross-origin request, whether that would be allowed (Fetch
// Standard, "CORS-preflight request"). It carries no credentials, has no body, opens nothing and stands for no other method: what does is judged like any other.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" &&
		(r.ContentLength == 0 || mayHaveNoBody(r)) && r.Header["Upgrade"] == nil && !overridesMethod(r)
}

// mayHaveNoBody reports whether it shows only when r's body is read whether there is one: in HTTP/3 a request that has none need not say so.
func mayHaveNoBody(r *http.Request) bool { return r.ProtoMajor == 3 && r.ContentLength < 0 }
