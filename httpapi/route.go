package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-auth/postern/core"
)

// address is the lines of the table that have one path.
type address struct {
	segments []string
	routes   []*routed
}

// routed is a line of the table with what follows from the others.
type routed struct {
	route
	pattern string  // "GET /v1/users/{user}"
	read    handler // what serves GET of the thing that the path names; nil where it names none
	makes   bool    // it is a POST that makes a thing which GET reads below its path
	streams bool    // body and answer are read and written line by line, so that neither is ever there as a whole
}

// compile gathers the lines of the table by path, once, so that a call is compared with each path once.
func (a *API) compile() {
	a.routes = a.table()
	at := map[string]int{}
	for _, rt := range a.routes {
		i, known := at[rt.path]
		if !known {
			i = len(a.paths)
			at[rt.path] = i
			a.paths = append(a.paths, address{segments: strings.Split(rt.path, "/")})
		}
		a.paths[i].routes = append(a.paths[i].routes, &routed{rt, rt.method + " " + rt.path, a.reader(rt.path),
			rt.method == http.MethodPost && a.makes(rt.path), strings.HasPrefix(rt.path, "/v1/bulk/")})
	}
}

// maxURL bounds the address of a call, in bytes. A whole session token fits into it.
const maxURL = 16 << 10

// Failures of routing.
var (
	errNoRoute  = &core.Error{Kind: core.KindNotFound, Code: "not_found", Detail: "there is nothing at this address"}
	errNoMethod = &core.Error{Kind: core.KindMalformed, Code: "method_not_allowed", Detail: "this method is not for this address"}
)

// route finds what serves a call, and notes the segments that its path names. The first path of the table that
// matches is the one that is meant, whatever the method.
func (a *API) route(c *call) (*routed, error) {
	path := c.URL.EscapedPath()
	if len(path)+len(c.URL.RawQuery) > maxURL {
		return nil, errLongURL
	}
	sent := strings.Split(path, "/")
	for i := range a.paths {
		p := &a.paths[i]
		if !match(p.segments, sent) {
			continue
		}
		c.path = segments{p.segments, sent}
		for _, rt := range p.routes {
			if c.Method == rt.method || c.Method == http.MethodHead && rt.method == http.MethodGet {
				c.pattern = rt.pattern
				return rt, nil
			}
			c.allowed = append(c.allowed, rt.method)
		}
		return nil, errNoMethod
	}
	return nil, errNoRoute
}

// match compares a path with a pattern, segment by segment: a path is split first and unescaped after, so that an escaped slash
// stays in its segment.
func match(pattern, sent []string) bool {
	if len(pattern) != len(sent) {
		return false
	}
	for i, p := range pattern {
		if !isName(p) {
			if p != sent[i] {
				return false
			}
			continue
		}
		if _, err := url.PathUnescape(sent[i]); err != nil || sent[i] == "" {
			return false
		}
	}
	return true
}

// isName reports whether a segment of a pattern is one in braces.
func isName(segment string) bool { return strings.HasPrefix(segment, "{") }

// segments are those of a path that matches a pattern.
type segments struct{ pattern, sent []string }

// named returns the segment that a name in braces stands for, as it was sent.
func (s segments) named(name string) (sent string, there bool) {
	for i, p := range s.pattern {
		if isName(p) && p[1:len(p)-1] == name {
			return s.sent[i], true
		}
	}
	return "", false
}
