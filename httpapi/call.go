package httpapi

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// call is a request on its way through the API.
type call struct {
	*http.Request
	id      string // X-Request-Id
	wants   failure.Wants
	pattern string // the line of the table that serves it
	path    segments
	allowed []string // methods, where the one that was used is not among them
	body    *body    // nil until it is read
	device  string   // to be answered with a user who signed in, for the device to keep
	apiKey  string   // to be answered with a user, where the realm shows it again
	counted bool     // as a call of its management key: see keyRates

	shownOnce bool // the answer holds what GET of the same thing does not show
}

// The media types of answers.
const (
	mediaJSON    = failure.MediaJSON
	mediaJSONAPI = failure.MediaJSONAPI
)

// newCall returns a call, and in which form it is answered.
func newCall(r *http.Request) *call {
	return &call{Request: r, id: failure.IDOf(r), wants: failure.WantsOf(r.Header)}
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
	h[failure.IDHeader], h["Cache-Control"] = values[0:1:1], values[1:2:2]
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
