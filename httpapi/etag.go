package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
)

// Every single thing that has an address (/v1/users/{user}) has an entity tag, a digest of what GET answers there. It is
// in the answers of GET, of PUT and of the POST that makes the thing, unless such an answer shows what GET does not. With
// If-Match a PUT or DELETE happens only if the thing still is as its tag says (RFC 9110 §13.1.1).

// tagOf returns the tag of a body. It is a strong one: other bytes, another tag.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.AppendEncode(append(make([]byte, 0, 24), '"'), sum[:16])
	return string(append(tag, '"'))
}

// reader returns what serves GET of the thing that a path of the table names, or nil where it names none.
func (a *API) reader(path string) handler {
	if !strings.HasSuffix(path, "}") {
		return nil
	}
	return a.find(http.MethodGet, func(other string) bool { return other == path })
}

// makes reports whether a POST to a path of the table makes a thing that GET reads below it.
func (a *API) makes(path string) bool {
	return a.find(http.MethodGet, func(other string) bool {
		name, below := strings.CutPrefix(other, path+"/{")
		return below && strings.IndexByte(name, '}') == len(name)-1
	}) != nil
}

// find returns what serves the first line of the table with a method and a path that fits, or nil.
func (a *API) find(method string, fits func(path string) bool) handler {
	at := slices.IndexFunc(a.routes, func(rt route) bool { return rt.method == method && fits(rt.path) })
	if at < 0 {
		return nil
	}
	return a.routes[at].serve
}

// conditional serves a call as its conditions ask, and tags the answer.
func (a *API) conditional(w http.ResponseWriter, c *call, rt *routed) error {
	read := rt.read
	switch c.Method {
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		if err := a.require(c, read); err != nil {
			return err
		}
	}
	if read == nil && !rt.makes {
		return rt.serve(w, c)
	}
	d := newDraft(w.Header()) // what fails has set none, but for those that every answer with a body sets anew
	defer d.free()
	if err := rt.serve(d, c); err != nil {
		return err
	}
	d.tag(c)
	d.sendBody(w)
	return nil
}

// tag gives the answer to a call its tag. Where the caller has the very body of a GET already, it is not sent again.
func (d *draft) tag(c *call) {
	if d.body.Len() == 0 || c.shownOnce || c.body != nil && len(c.body.expand) > 0 { // GET expands what its address says
		return
	}
	tag := tagOf(d.body.Bytes())
	d.header.Set("ETag", tag)
	if (c.Method == http.MethodGet || c.Method == http.MethodHead) && parseTags(c.Header["If-None-Match"]).weakly(tag) {
		d.status = http.StatusNotModified
		d.header.Del("Content-Type")
		d.header.Del("Content-Length")
		d.body.Reset()
	}
}

// errPrecondition says that the conditions of a call do not hold.
var errPrecondition = &core.Error{Kind: core.KindPrecondition, Code: core.ErrChanged.Code,
	Detail: "this is not as If-Match or If-None-Match asks; nothing was done, read it again"}

// require checks the conditions of a call that changes something, against what GET answers at the same address: read serves
// that, nil where there is no GET and so nothing that could match. What GET refuses is refused. A change that goes on does so
// only while all that was read for the answer is as it was.
func (a *API) require(c *call, read handler) error {
	match, conditional := c.Header["If-Match"]
	none, inverse := c.Header["If-None-Match"]
	if !conditional && !inverse {
		return nil
	}
	if read == nil {
		return errPrecondition
	}
	ctx, seen := core.Observe(c.Context())
	get, d := *c, newDraft(http.Header{})
	defer d.free()
	get.Request, get.body = c.WithContext(ctx), nil
	get.Method, get.Body = http.MethodGet, http.NoBody
	err := read(d, &get)
	c.counted = get.counted // it is one call, though it reads first
	if err != nil {
		return err
	}
	tag := tagOf(d.body.Bytes())
	if conditional && !parseTags(match).strongly(tag) || inverse && parseTags(none).weakly(tag) {
		return errPrecondition
	}
	c.Request = c.WithContext(seen.Unchanged(c.Context()))
	return nil
}

// tags are what If-Match or If-None-Match lists.
type tags struct {
	any  bool     // "*"
	list []string // as they were sent, quotes and W/ among them
}

// parseTags reads the lines of such a header. What is malformed lists nothing.
func parseTags(lines []string) tags {
	rest := strings.Trim(strings.Join(lines, ","), " \t")
	if rest == "*" {
		return tags{any: true}
	}
	var t tags
	for rest != "" {
		if rest[0] == ',' || rest[0] == ' ' || rest[0] == '\t' {
			rest = rest[1:]
			continue
		}
		end := tagEnd(rest)
		if end == 0 {
			return tags{}
		}
		t.list = append(t.list, rest[:end])
		rest = strings.TrimLeft(rest[end:], " \t")
		if rest != "" && rest[0] != ',' {
			return tags{}
		}
	}
	return t
}

// tagEnd returns the length of the entity tag that text begins with, or 0 (RFC 9110 §8.8.3).
func tagEnd(text string) int {
	opaque, _ := strings.CutPrefix(text, "W/")
	if !strings.HasPrefix(opaque, `"`) {
		return 0
	}
	for i := 1; i < len(opaque); i++ {
		switch b := opaque[i]; {
		case b == '"':
			return len(text) - len(opaque) + i + 1
		case b <= ' ' || b == 0x7f:
			return 0
		}
	}
	return 0
}

// strongly reports whether the list has a tag itself; a weak one equals none (RFC 9110 §8.8.3.2).
func (t tags) strongly(tag string) bool { return t.any || slices.Contains(t.list, tag) }

// weakly reports whether the list has a tag, weak or not.
func (t tags) weakly(tag string) bool {
	return t.any || slices.ContainsFunc(t.list, func(sent string) bool { return strings.TrimPrefix(sent, "W/") == tag })
}
