package core

import (
	"errors"
	"time"
)

// Kind says what sort of failure an Error is. One table in httpapi turns a Kind into a status.
type Kind int

// The kinds. The zero Kind is Internal, so that an Error made without thought tells nothing.
const (
	KindInternal        Kind = iota // our fault; told to nobody
	KindInvalid                     // the input was understood and breaks a rule
	KindMalformed                   // the input could not be read
	KindUnauthenticated             // who is calling is not proven
	KindForbidden                   // who is calling is known, or need not be, and may not do this
	KindNotFound                    // no such thing, or not for this caller to see
	KindConflict                    // it collides with what is there
	KindThrottled                   // too many; try again after RetryAfter
	KindUnavailable                 // cannot know right now; try again after RetryAfter
	KindPrecondition                // something is not as the caller has seen it
)

// Error is a failure the outside may see. Neither Code nor Detail nor Fields ever holds a secret.
// What is not an *Error is our own fault: it is logged whole and told to nobody.
type Error struct {
	Kind       Kind
	Code       string        // stable, machine-readable, snake_case: "user_already_exists"
	Detail     string        // a sentence for the person calling the API
	Fields     []FieldError  // KindInvalid only: what is wrong, the most telling first
	Limit      int           // KindThrottled only: how many there are at once; 0 = unknown
	RetryAfter time.Duration // KindThrottled, KindUnavailable and ErrUnderWay only; 0 = the caller's guess
}

// FieldError is one rule that one attribute breaks.
type FieldError struct {
	Attribute string // as the API names it: "username"
	Message   string // a whole sentence: "Username can't be blank"
}

// Error returns the detail, or the first field's message.
func (e *Error) Error() string {
	switch {
	case e.Detail != "":
		return e.Detail
	case len(e.Fields) > 0:
		return e.Fields[0].Message
	}
	return e.Code
}

// Is reports whether target is an *Error of the same kind and code, so that a sentinel is
// recognised under a copy that carries another Detail, Limit or RetryAfter.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code
}

// IsRefusal reports whether err says that a credential proves nothing, or that its user may not enter: KindUnauthenticated or
// KindForbidden. Any other failure says nothing about who is asking.
func IsRefusal(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Kind == KindUnauthenticated || e.Kind == KindForbidden)
}

// with returns a copy of e that says more: "<detail of e>: <more>".
func (e *Error) with(more string) *Error {
	c := *e
	c.Detail = e.Detail + ": " + more
	return &c
}

// retryAfter returns a copy of e that asks the caller to wait d.
func (e *Error) retryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Failures that every package may meet.
var (
	// ErrInternal is what an unexpected error is told as.
	ErrInternal = &Error{Kind: KindInternal, Code: "internal", Detail: "something went wrong on our side"}

	// ErrUnavailable says that the store did not answer, so nothing can be known and nothing was decided.
	ErrUnavailable = &Error{Kind: KindUnavailable, Code: "unavailable",
		Detail: "the data store cannot be reached; nothing was decided, try again shortly", RetryAfter: time.Second}

	// ErrStoreFull says, beside ErrUnavailable, that the store takes no changes since it cannot write to its disk. What it reads out holds all the same.
	ErrStoreFull = errors.New("the data store cannot write to its disk")

	// ErrOutcomeUnknown says that a write was sent and its answer lost: it may have happened or not.
	// The same write may be sent again under the same operation id.
	ErrOutcomeUnknown = &Error{Kind: KindUnavailable, Code: "outcome_unknown",
		Detail: "the data store did not confirm the write, which may have happened; it is safe to try again", RetryAfter: time.Second}
)

// invalid returns a KindInvalid error about one attribute.
func invalid(attribute, message string) *Error {
	return &Error{Kind: KindInvalid, Code: "validation", Fields: []FieldError{{attribute, message}}}
}
