package httpapi

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// statuses turns a kind into a status. It is the one place that does.
var statuses = map[core.Kind]int{
	core.KindInternal:        http.StatusInternalServerError,
	core.KindInvalid:         http.StatusUnprocessableEntity,
	core.KindMalformed:       http.StatusBadRequest,
	core.KindUnauthenticated: http.StatusUnauthorized,
	core.KindForbidden:       http.StatusForbidden,
	core.KindNotFound:        http.StatusNotFound,
	core.KindConflict:        http.StatusConflict,
	core.KindThrottled:       http.StatusTooManyRequests,
	core.KindUnavailable:     http.StatusServiceUnavailable,
	core.KindPrecondition:    http.StatusPreconditionFailed,
}

// Failures that belong to HTTP alone: they are malformed calls, whose status says more than 400 does.
var (
	errBadRequest = &core.Error{Kind: core.KindMalformed, Code: "bad_request", Detail: "the body could not be read"}
	errMediaType  = &core.Error{Kind: core.KindMalformed, Code: "unsupported_media_type", Detail: "send the body as application/json, application/vnd.api+json or application/x-www-form-urlencoded"}
	errLongURL    = &core.Error{Kind: core.KindMalformed, Code: "uri_too_long", Detail: "the address is longer than 16 KiB"}
	errTooLarge   = &core.Error{Kind: core.KindMalformed, Code: "content_too_large", Detail: "the body is larger than 128 KiB"}

	// ErrTooEarly refuses a write that came as TLS early data, for a host to Refuse with (RFC 8470 §5.2).
	ErrTooEarly = &core.Error{Kind: core.KindMalformed, Code: "too_early", Detail: "this may be a repetition of somebody else's call; send it again once the TLS handshake is complete"}

	malformed = map[string]int{
		ErrTooEarly.Code:  http.StatusTooEarly,
		errMediaType.Code: http.StatusUnsupportedMediaType,
		errTooLarge.Code:  http.StatusRequestEntityTooLarge,
		errLongURL.Code:   http.StatusRequestURITooLong,
		errNoMethod.Code:  http.StatusMethodNotAllowed,
	}
)

// statusOf returns the status of an error.
func statusOf(e *core.Error) int {
	if status, ok := malformed[e.Code]; ok && e.Kind == core.KindMalformed {
		return status
	}
	return statuses[e.Kind]
}

// invalid returns an error about one attribute.
func invalid(attribute, message string) *core.Error {
	return &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: []core.FieldError{{Attribute: attribute, Message: message}}}
}

// fail answers with an error, in the caller's form. What is no *core.Error is logged whole and told to nobody.
func (a *API) fail(w http.ResponseWriter, c *call, err error) {
	e, ok := errors.AsType[*core.Error](err)
	switch {
	case !ok && c.Context().Err() != nil && errors.Is(err, c.Context().Err()):
		e = core.ErrUnavailable // the caller has gone, or its time is up
	case !ok || e.Kind == core.KindInternal:
		a.log.Error("request failed", zap.String("route", c.pattern), zap.String("request_id", c.id), zap.Error(err))
		e = core.ErrInternal
	case errors.Is(err, core.ErrWrongMasterKey): // nobody else would hear of it
		a.log.Error("master key does not open what the store keeps", zap.String("route", c.pattern), zap.String("request_id", c.id), zap.Error(err))
	case e.Kind == core.KindUnavailable && c.Context().Err() == nil: // a disk that is full is told of nowhere else
		a.outages.Warn("calls cannot be served", zap.String("route", c.pattern), zap.String("request_id", c.id), zap.Error(err))
	}
	tell(w, c, e, a.core.Now())
}

// Refuse answers a call that does not reach an API, in the form that the caller would have had from one: for a host
// whose store is not open yet, or that refuses a call itself.
func Refuse(w http.ResponseWriter, r *http.Request, e *core.Error) {
	c := newCall(r)
	settle(w, c)
	tell(w, c, e, time.Now())
}

// tell answers with an error, in the caller's form.
func tell(w http.ResponseWriter, c *call, e *core.Error, now time.Time) {
	explain(w.Header(), c, e, now)
	f := failure.Failure{Status: statusOf(e), Code: e.Code, Detail: e.Detail, Fields: e.Fields}
	switch {
	case c.wants.Problems:
		f.WriteProblem(w)
	case c.wants.Answer == failure.JSONAPI:
		f.WriteJSONAPI(w)
	default:
		f.WriteV1(w)
	}
}

// explain sets the headers that go with the status of an error.
func explain(h http.Header, c *call, e *core.Error, now time.Time) {
	seconds := max(1, int(math.Ceil(e.RetryAfter.Seconds())))
	again := now.Truncate(time.Second).Add(time.Duration(seconds) * time.Second)
	switch statusOf(e) {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge(e))
	case http.StatusMethodNotAllowed:
		h.Set("Allow", allow(c.allowed))
	case http.StatusTooManyRequests:
		if e.Limit > 0 {
			h.Set("X-Ratelimit-Limit", strconv.Itoa(e.Limit))
		}
		h.Set("X-Ratelimit-Remaining", "0")
		h.Set("X-Ratelimit-Reset", strconv.FormatInt(again.Unix(), 10))
		h.Set("Ratelimit-Reset", again.UTC().Format(http.TimeFormat)) // newer clients
		fallthrough
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(seconds))
	case http.StatusConflict:
		if e.RetryAfter > 0 {
			h.Set("Retry-After", strconv.Itoa(seconds))
		}
	}
}

// challenge says what a refused caller should show (RFC 6750 §3). To a wrong password no token is the answer.
func challenge(e *core.Error) string {
	if e.Code == core.ErrInvalidToken.Code {
		return `Bearer error="invalid_token"`
	}
	return "Bearer"
}

// allow lists methods as the Allow header does.
func allow(methods []string) string {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}

// write sends a JSON body.
func write(w http.ResponseWriter, status int, media string, body any) {
	failure.WriteJSON(w, status, media, body)
}
