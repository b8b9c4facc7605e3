package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// maxBody bounds what is read of an answer, in bytes; a page of a thousand users with all their custom attributes fits.
const maxBody = 64 << 20

// call is one call of the API.
type call struct {
	method, route string // of httpapi's table: GET, /v1/users/{user}
	path          string // the route with its braces filled
	query         url.Values
	header        http.Header
	root          string                 // the name that the object goes by in the body
	object        any                    // what the call is about; nil = nothing
	beside        map[string]any         // what stands beside the object
	bearer        func() (string, error) // what it shows in place of the management key
	repeats       repeats
	err           error // what is wrong with it
}

// repeats says whether carrying out a call twice is like carrying it out once.
type repeats int

const (
	byMethod repeats = iota // as its method and headers say
	never
	always
)

// to returns a call with the segments of its path, in the order of the braces.
func to(method, route string, segments ...string) *call {
	r := &call{method: method, route: route, path: route, query: url.Values{}, header: http.Header{}, beside: map[string]any{}}
	for _, s := range segments {
		before, rest, _ := strings.Cut(r.path, "{")
		name, after, _ := strings.Cut(rest, "}")
		if s == "" || s == "." || s == ".." { // these are other addresses
			r.err = &Error{Kind: KindMalformed, Code: CodeBadCall, Detail: "an id or name is required for " + name}
		}
		r.path = before + escape(s) + after
	}
	return r
}

// escape escapes a segment of a path. A plus would be read as a space where nobody goes by it.
func escape(segment string) string {
	return strings.NewReplacer("+", "%2B", "{", "%7B").Replace(url.PathEscape(segment))
}

// about sets what the call is about, under the name that it has in the body.
func (r *call) about(root string, object any) *call {
	r.root, r.object = root, object
	return r
}

// with sets what stands beside the object.
func (r *call) with(name string, value any) *call {
	r.beside[name] = value
	return r
}

// as has a call show another credential than the management key, made anew for each try.
func (r *call) as(bearer func() (string, error)) *call {
	r.bearer = bearer
	return r
}

// repeated says what method and headers do not.
func (r *call) repeated(how repeats) *call {
	r.repeats = how
	return r
}

// CallOption says more of one call.
type CallOption func(*call)

// IfMatch has an update or a deletion fail with ErrPrecondition unless the resource is still as it was when it had this ETag, which
// each Get, Create and Update returns unless the answer shows something that Get does not. That of a user WithMemberships is for
// calls with them.
func IfMatch(etag string) CallOption {
	return func(r *call) { r.header.Set("If-Match", etag) }
}

// IdempotencyKey names a call that makes or starts something, so that it is carried out once and answered alike for 24 hours: a name
// of your own, such as the id of an order, for repetitions that outlive this process. Without it a call has a random one, which
// holds for its own tries; with "" it has none, and is tried once unless nothing was done. Account.Ensure names the making of the user
// alone.
func IdempotencyKey(key string) CallOption {
	return func(r *call) {
		if r.method != http.MethodPost || r.bearer != nil && r.repeats == always { // see Account.reissue
			return
		}
		r.repeats = never
		if key != "" {
			r.header.Set("Idempotency-Key", key)
			r.repeats = always
		}
	}
}

// Origin is what a back end says of the request that it acts for. It is kept with events and sessions, and attempts to sign in
// are counted by it. Calls that only read do not carry it.
type Origin struct {
	IP     string  `json:"ip,omitempty"`
	Client string  `json:"client,omitempty"` // its User-Agent
	Device *string `json:"device,omitempty"` // what SignIn.Device, or User.Device of a reset, was the last time, "" the first time; nil = devices are not kept
}

// From says on whose behalf a call is made.
func From(o Origin) CallOption {
	return func(r *call) {
		if r.method != http.MethodGet {
			r.beside["request"] = o
		}
	}
}

// WithMemberships asks for a user with their memberships, each with its org.
func WithMemberships() CallOption {
	return func(r *call) { r.query.Set("expand", "memberships") }
}

// do makes a call, and returns what it answers with.
func do[T any](ctx context.Context, c *Client, r *call, opts []CallOption) (*T, error) {
	out := new(T)
	if err := c.send(ctx, r, out, opts); err != nil {
		return nil, err
	}
	return out, nil
}

// send makes a call, as often as is needed and allowed, and reads the answer into out unless that is nil.
func (c *Client) send(ctx context.Context, r *call, out any, opts []CallOption) error {
	body, err := r.settle(opts)
	if err != nil {
		return r.failed(err)
	}
	return c.repeat(ctx, r, func() error { return c.try(ctx, r, body, out) })
}

// settle applies options, and returns the body; nil = none.
func (r *call) settle(opts []CallOption) ([]byte, error) {
	for _, opt := range opts {
		opt(r)
	}
	for name, values := range r.header {
		if strings.ContainsFunc(strings.Join(values, ""), notInHeader) {
			r.err = &Error{Kind: KindMalformed, Code: CodeBadCall, Detail: name + " holds a character that cannot be sent"}
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if r.method == http.MethodPost && r.header.Get("Idempotency-Key") == "" && r.repeats == byMethod {
		r.header.Set("Idempotency-Key", rand.Text())
	}
	body := maps.Clone(r.beside)
	if r.object != nil {
		body[r.root] = r.object
	}
	if len(body) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, &Error{Kind: KindMalformed, Code: CodeBadCall, Detail: "the input cannot be written as JSON", Err: err}
	}
	return text, nil
}

// failed returns what a call failed with, as an *Error that says which call it was.
func (r *call) failed(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: KindInternal, Code: CodeBadCall, Err: err}
	}
	e.Route = r.method + " " + r.route
	return e
}

// try makes a call once.
func (c *Client) try(ctx context.Context, r *call, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	response, err := c.carry(ctx, r, reader, "application/json")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, c.longest+1))
	switch {
	case err != nil:
		return unanswered(ctx, err)
	case int64(len(text)) > c.longest:
		return &Error{Kind: KindInternal, Code: CodeNotPostern, Status: response.StatusCode, Detail: fmt.Sprintf("the answer is longer than %d bytes", c.longest)}
	case out == nil:
		return nil
	}
	if err := read(response, text, out); err != nil {
		return err
	}
	if tagged, ok := out.(interface{ SetETag(string) }); ok {
		tagged.SetETag(response.Header.Get("ETag"))
	}
	return nil
}

// read reads an answer into out.
func read(response *http.Response, text []byte, out any) error {
	if err := json.Unmarshal(text, out); err != nil { // its text may hold what is secret
		return &Error{Kind: KindInternal, Code: CodeNotPostern, Status: response.StatusCode, RequestID: tidy(response.Header.Get("X-Request-Id"), 64),
			Detail: "answered with " + mediaType(response.Header) + " that cannot be read: is there a Postern at this URL?"}
	}
	return nil
}

// carry sends a request, and returns an answer that says that all went well, whose body is the caller's to close.
func (c *Client) carry(ctx context.Context, r *call, body io.Reader, media string) (*http.Response, error) {
	request, err := c.request(ctx, r, body, media)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, unanswered(ctx, err)
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody)) // the status says enough
	e := readError(response.StatusCode, response.Header, text, c.now())
	if response.StatusCode/100 == 3 {
		e.Detail = "answered with a redirect, which is not followed: is this the URL of a Postern?"
	}
	return nil, e
}

// request returns a request. Errors are asked for as RFC 9457 has them, which name their codes.
func (c *Client) request(ctx context.Context, r *call, body io.Reader, media string) (*http.Request, error) {
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil { // its text holds the address
		return nil, &Error{Kind: KindMalformed, Code: CodeBadCall, Detail: "the call has no address"}
	}
	request.Header = r.header.Clone()
	h := request.Header
	h.Set("Accept", "application/json, application/problem+json")
	h.Set("User-Agent", strings.TrimSpace(c.options.UserAgent+" postern-client-go"))
	if body != nil {
		h.Set("Content-Type", media)
	}
	token := c.key()
	if r.bearer != nil {
		request.GetBody = nil // else net/http repeats what has an Idempotency-Key by itself, with the same APT
		if token, err = r.bearer(); err != nil {
			return nil, err
		}
		if strings.ContainsFunc(token, notInHeader) {
			return nil, &Error{Kind: KindUnauthenticated, Code: CodeBadCall, Detail: "the token holds a character that no token has"}
		}
	} else if c.options.Realm != "" {
		h.Set("X-Authrocket-Realm", c.options.Realm)
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}

// unanswered says why a request had no whole answer, without its address, which may hold a token.
func unanswered(ctx context.Context, err error) *Error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	e := &Error{Kind: KindUnavailable, Code: CodeOutcomeUnknown, Detail: "no answer", Err: err}
	if neverSent(err) {
		e.Code, e.Detail = CodeUnreachable, "the server cannot be reached"
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		e.Err = ctx.Err()
	}
	return e
}
