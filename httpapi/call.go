package httpapi

import (
	"crypto/rand"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
)

// call is a request on its way through the API.
type call struct {
	*http.Request
	id       string // X-Request-Id
	sent     family // of the body, otherFamily where it has no or another media type
	wanted   family // of the answer
	problems bool   // errors as RFC 9457
	pattern  string // the line of the table that serves it
	path     segments
	allowed  []string // methods, where the one that was used is not among them
	body     *body    // nil until it is read
	device   string   // to be answered with a user who signed in, for the device to keep
	counted  bool     // as a call of its management key: see keyRates

	shownOnce bool // the answer holds what GET of the same thing does not show
}

// family is one of the two kinds of clients that /v1 serves alike, told apart by their media types.
type family int

const (
	otherFamily family = iota
	plainJSON          // application/json: the Users API
	jsonAPI            // application/vnd.api+json: Work-API
)

// The media types of the families, and of errors for whoever asks for those.
const (
	mediaJSON    = "application/json"
	mediaJSONAPI = "application/vnd.api+json"
	mediaProblem = "application/problem+json"
)

// newCall works out in which family a request speaks and wants to be answered: as Accept says where it names one of
// the two alone, else as the body does, else in plain JSON.
func newCall(r *http.Request) *call {
	c := &call{Request: r, id: rand.Text(), sent: familyOf(r.Header.Get("Content-Type"))}
	var accepted [3]bool
	for _, line := range r.Header["Accept"] {
		if line == "*/*" { // most say that, and it says nothing
			continue
		}
		for item := range strings.SplitSeq(line, ",") {
			media, parameters, _ := mime.ParseMediaType(item) // bad parameters say nothing
			if isZero(parameters["q"]) {
				continue
			}
			c.problems = c.problems || media == mediaProblem
			accepted[familyOf(media)] = true
		}
	}
	switch {
	case accepted[jsonAPI] != accepted[plainJSON]:
		c.wanted = plainJSON
		if accepted[jsonAPI] {
			c.wanted = jsonAPI
		}
	case c.sent != otherFamily:
		c.wanted = c.sent
	default:
		c.wanted = plainJSON
	}
	return c
}

// isZero reports whether a quality value means "not acceptable" (RFC 9110 §12.4.2).
func isZero(q string) bool { return q != "" && strings.Trim(q, "0.") == "" }

// familyOf returns the family of a media type, whatever its parameters.
func familyOf(contentType string) family {
	media, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case mediaJSON:
		return plainJSON
	case mediaJSONAPI:
		return jsonAPI
	}
	return otherFamily
}

// settle sets the headers that every answer has. Their values share one allocation, and nothing else: hosts may change them.
func settle(w http.ResponseWriter, c *call) {
	values := [...]string{
		c.id,
		"no-store", // most answers hold a secret or somebody's data
		"nosniff",
		"Accept, Content-Type, Origin",
	}
	h := w.Header()
	h["X-Request-Id"], h["Cache-Control"] = values[0:1:1], values[1:2:2]
	h["X-Content-Type-Options"], h["Vary"] = values[2:3:3], values[3:4:4]
}

// bearer returns the token of the Authorization header. there is false where the header is missing or names
// another scheme; a bearer without a token is there, and empty.
func (c *call) bearer() (token string, there bool) {
	lines := c.Header["Authorization"]
	if len(lines) != 1 {
		return "", len(lines) > 1 // several prove nothing
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// segment returns a segment of the path, unescaped.
func (c *call) segment(name string) string {
	sent, _ := c.path.named(name)
	value, _ := url.PathUnescape(sent) // match has seen that it can be
	return value
}

// query returns the query of the address. Most have none, and cost nothing.
func (c *call) query() url.Values {
	if c.URL.RawQuery == "" {
		return nil
	}
	return c.URL.Query()
}

// errBadQuery says that a query is not encoded as URLs are.
var errBadQuery = &core.Error{Kind: core.KindMalformed, Code: "bad_request", Detail: "the query could not be read"}

// parameters returns what the query says of names, each once at most, beside the realm. Whatever else is there, or cannot be read, is
// refused: a dry run that was passed over would be none, and who leaves out what is to be kept by a slip of the pen would not keep it.
func (c *call) parameters(names ...string) (url.Values, error) {
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, errBadQuery
	}
	q := fields{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case name == "realm_id": // see namedRealm
		case !slices.Contains(names, name):
			q.complain(name, "is not a parameter of this call")
		case len(values[name]) > 1:
			q.complain(name, "must be given once")
		}
	}
	return values, q.wrong()
}
