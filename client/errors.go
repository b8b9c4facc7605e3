package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says what sort of failure an Error is. The kinds are the API's.
type Kind int

// The kinds.
const (
	KindInternal        Kind = iota // the server's fault, or what answered is no Postern
	KindInvalid                     // the input was understood and breaks a rule: see Error.Fields
	KindMalformed                   // the input could not be read, or names nothing: the caller's fault
	KindUnauthenticated             // a password, code or token proves nothing
	KindForbidden                   // a management key is not good, or not for this; or a user or realm is inactive
	KindNotFound                    // no such thing, or not for this caller to see
	KindConflict                    // it collides with what is there
	KindThrottled                   // too many; again after Error.RetryAfter
	KindUnavailable                 // cannot know right now: no answer, or one that says so
	KindPrecondition                // it is not as IfMatch says; nothing was done
)

// kindNames are the kinds in words.
var kindNames = [...]string{"internal error", "invalid", "malformed", "unauthenticated", "forbidden", "not found", "conflict", "throttled", "unavailable", "precondition failed"}

// String returns the kind in words.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "kind " + strconv.Itoa(int(k))
	}
	return kindNames[k]
}

// What errors.Is compares an Error with: each stands for all of its kind.
var (
	ErrInternal        = &Error{Kind: KindInternal}
	ErrInvalid         = &Error{Kind: KindInvalid}
	ErrMalformed       = &Error{Kind: KindMalformed}
	ErrUnauthenticated = &Error{Kind: KindUnauthenticated}
	ErrForbidden       = &Error{Kind: KindForbidden}
	ErrNotFound        = &Error{Kind: KindNotFound}
	ErrConflict        = &Error{Kind: KindConflict}
	ErrThrottled       = &Error{Kind: KindThrottled}
	ErrUnavailable     = &Error{Kind: KindUnavailable}
	ErrPrecondition    = &Error{Kind: KindPrecondition}
)

// Codes of failures to send a call, beside those that the API answers with ("user_not_found", "token_used").
const (
	CodeUnreachable    = "unreachable"     // nothing was sent
	CodeOutcomeUnknown = "outcome_unknown" // it was sent, and may have been carried out or not
	CodeNotPostern     = "not_postern"     // what answered does not speak the API
	CodeBadCall        = "bad_call"        // refused here, before it was sent
)

// Error is a call that failed. Neither its text nor its fields hold a secret, unless the cause that it wraps does.
type Error struct {
	Kind       Kind
	Code       string        // stable, in snake_case: "user_not_found"
	Detail     string        // a sentence for whoever wrote the call
	Fields     []FieldError  // of KindInvalid: what is wrong, the most telling first
	Status     int           // 0 where nobody answered
	Route      string        // what was called: "GET /v1/users/{user}"
	RequestID  string        // of the answer, as the server logs it
	RetryAfter time.Duration // of KindThrottled and KindUnavailable: when it may be tried again; 0 = nobody said
	Err        error         // of calls that nobody answered: why, such as context.DeadlineExceeded
}

// FieldError is one rule that one attribute breaks.
type FieldError struct {
	Attribute string // as the API names it: "username"; "base" where it is about none
	Message   string // a whole sentence: "Username can't be blank"
}

// Error returns what failed, how and why, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("postern: ")
	if e.Route != "" {
		b.WriteString(e.Route + ": ")
	}
	b.WriteString(cmp.Or(e.Detail, e.messages(), e.Kind.String()))
	var more []string
	if e.Status != 0 {
		more = append(more, strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		more = append(more, e.Code)
	}
	if e.RequestID != "" {
		more = append(more, "request "+e.RequestID)
	}
	if len(more) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(more, ", "))
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// messages returns what is wrong with attributes.
func (e *Error) messages() string {
	var all []string
	for _, f := range e.Fields {
		all = append(all, f.Message)
	}
	return strings.Join(all, "; ")
}

// Unwrap returns why nobody answered.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error of the same kind and, where target has one, the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && (t.Code == "" || t.Code == e.Code)
}

// Field returns what is wrong with an attribute, "" where nothing is.
func (e *Error) Field(attribute string) string {
	for _, f := range e.Fields {
		if f.Attribute == attribute {
			return f.Message
		}
	}
	return ""
}

// Bounds of what is taken from an answer that says what failed, whoever gave it.
const (
	maxErrorBody  = 64 << 10 // bytes
	maxText       = 300      // bytes of a detail or message
	maxFieldCount = 20
	maxRetryAfter = 24 * time.Hour
)

// readError makes an Error of an answer. Its kind is what the status says, unless that would speak of things that whoever answered knows
// nothing of: a 404 of a proxy, or of the app behind the guard, is no sign that a user is gone.
func readError(status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{Kind: kindOf(status), Status: status, RequestID: tidy(header.Get("X-Request-Id"), 64), RetryAfter: retryAfter(header.Get("Retry-After"), now)}
	var sent struct {
		Detail string          `json:"detail"`
		Code   string          `json:"code"`
		Errors json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &sent) != nil || sent.Code == "" && len(sent.Errors) == 0 {
		e.Code = CodeNotPostern
		if e.Kind != KindUnavailable && e.Kind != KindThrottled && e.Kind != KindMalformed {
			e.Kind = KindInternal
		}
		e.Detail = fmt.Sprintf("answered %d with %s, which is not an answer of Postern", status, mediaType(header))
		return e
	}
	e.Code, e.Detail = tidy(sent.Code, 64), tidy(sent.Detail, maxText)
	e.Fields = readFields(sent.Errors)
	if len(e.Fields) > maxFieldCount {
		e.Fields = e.Fields[:maxFieldCount]
	}
	for i, f := range e.Fields {
		e.Fields[i] = FieldError{tidy(f.Attribute, 64), tidy(f.Message, maxText)}
	}
	return e
}

// readFields reads what is wrong with attributes: an array of objects (RFC 9457), or an object of arrays of sentences (Users
// API, "Errors").
func readFields(raw json.RawMessage) []FieldError {
	var list []struct{ Attribute, Detail string }
	if json.Unmarshal(raw, &list) == nil {
		var fields []FieldError
		for _, f := range list {
			fields = append(fields, FieldError{f.Attribute, f.Detail})
		}
		return fields
	}
	var byName map[string][]string
	if json.Unmarshal(raw, &byName) != nil {
		return nil
	}
	var fields []FieldError
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		for _, message := range byName[name] {
			fields = append(fields, FieldError{name, message})
		}
	}
	return fields
}

// kindOf returns what a status says.
func kindOf(status int) Kind {
	switch status {
	case http.StatusUnprocessableEntity:
		return KindInvalid
	case http.StatusUnauthorized:
		return KindUnauthenticated
	case http.StatusForbidden:
		return KindForbidden
	case http.StatusNotFound, http.StatusGone:
		return KindNotFound
	case http.StatusConflict:
		return KindConflict
	case http.StatusPreconditionFailed:
		return KindPrecondition
	case http.StatusTooManyRequests:
		return KindThrottled
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return KindUnavailable
	}
	if status >= 400 && status < 500 {
		return KindMalformed
	}
	return KindInternal
}

// retryAfter reads a number of seconds, or a date (RFC 9110 §10.2.3). What it cannot read, or what is past, is 0.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}

// mediaType returns the media type of an answer, for a person to read.
func mediaType(header http.Header) string {
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	return cmp.Or(tidy(strings.TrimSpace(media), 64), "no media type")
}

// tidy returns a text from outside as it may stand in a line of a log: at most as many bytes, and nothing that steers a
// terminal.
func tidy(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
