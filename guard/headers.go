package guard

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
)

// prefix is where all identity headers live that nobody named otherwise, folded.
const prefix = "x-postern-"

// reserved are names that mean something to HTTP itself, carry credentials, or tell of the request that a proxy passes on, folded.
var reserved = []string{
	"authorization", "connection", "content-length", "content-type", "cookie", "expect", "host", "keep-alive",
	"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
	"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-method", "x-forwarded-proto", "x-forwarded-uri",
	"x-original-method", "x-original-uri", "x-original-url", "x-rewrite-url", "x-script-name",
}

// identityHeader is a header that tells the application something about the user.
type identityHeader struct {
	name   string // canonical
	folded string
	field  field
}

// assertionHeader carries the assertion.
const (
	assertionHeader = "X-Postern-Assertion"
	assertionFolded = "x-postern-assertion"
)

// identityHeaders are the headers that only the guard may set, sorted by name.
type identityHeaders []identityHeader

// newIdentityHeaders reads Options.CopyHeaders, and returns all complaints at once.
func newIdentityHeaders(copied map[string]string) (identityHeaders, error) {
	var all identityHeaders
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(copied)) { // so that complaints come in one order
		h := identityHeader{name: http.CanonicalHeaderKey(name), folded: strings.ToLower(name)}
		f, err := newField(copied[name])
		switch {
		case !isPlainName(name):
			errs = append(errs, fmt.Errorf("copy_headers: %q is not a name of 1 to 64 letters, digits and hyphens", name))
		case slices.Contains(reserved, h.folded):
			errs = append(errs, fmt.Errorf("copy_headers: %s means something else; take another name", h.name))
		case slices.ContainsFunc(all, func(other identityHeader) bool { return other.folded == h.folded }):
			errs = append(errs, fmt.Errorf("copy_headers: %s is there twice", h.name))
		case h.folded == assertionFolded:
			errs = append(errs, fmt.Errorf("copy_headers: %s is for the assertion; take another name", h.name))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("copy_headers: %s: %w", h.name, err))
		}
		h.field = f
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b identityHeader) int { return strings.Compare(a.name, b.name) })
	return all, errors.Join(errs...)
}

// isPlainName reports whether name has letters, digits and hyphens only: what every server on the way passes on.
func isPlainName(name string) bool {
	for i := range len(name) {
		if c := fold(name[i]); (c < 'a' || c > 'z') && (c < '0' || c > '9') && name[i] != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// told returns what each header says of who; "" = it is absent.
func (hs identityHeaders) told(who *core.Identity) []string {
	values := make([]string, len(hs))
	for i := range hs {
		if text := hs[i].field(who); sendable(text) {
			values[i] = text
		}
	}
	return values
}

// set sets the headers to what was told of somebody. The values become this request's own.
func (hs identityHeaders) set(h http.Header, values []string) {
	for i := range hs {
		if values[i] != "" {
			h[hs[i].name] = values[i : i+1 : i+1]
		}
	}
}

// have reports whether a header, by its canonical name, is one of them.
func (hs identityHeaders) have(name string) bool {
	return slices.ContainsFunc(hs, func(h identityHeader) bool { return h.name == name })
}

// foldsToOurs reports whether a name begins, folded, as all identity headers do that nobody named otherwise.
func foldsToOurs(name string) bool {
	return len(name) >= len(prefix) && foldsTo(name[:len(prefix)], prefix)
}

// foldsTo reports whether name is folded, a name in lower case whose other characters are hyphens.
func foldsTo(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := range len(name) {
		if fold(name[i]) != folded[i] {
			return false
		}
	}
	return true
}

// fold makes equal what an application may take for equal: case, and all that is neither letter nor digit.
func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}
