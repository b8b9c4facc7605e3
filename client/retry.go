package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// Waits between tries, where the server names none: the first is this long, each further one twice as long as the one before,
// and all a little less by chance, so that many who were refused at once do not come back at once.
const firstWait = 200 * time.Millisecond

// codeUnderWay says that an earlier try of the same POST is not finished: then its answer is waited for.
const codeUnderWay = "call_under_way"

// repeat tries a call as often as is needed and allowed.
func (c *Client) repeat(ctx context.Context, r *call, once func() error) error {
	doubtful := false
	for try := 1; ; try++ {
		err := once()
		if err == nil {
			return nil
		}
		e := r.failed(err)
		if doubtful && r.method == http.MethodDelete && e.Kind == KindNotFound {
			return nil // an earlier try has deleted it, and its answer was lost
		}
		doubtful = doubtful || e.doubtful()
		wait, again := c.again(r, e, try)
		if !again || !intime(ctx, wait) || c.pause(ctx, wait) != nil {
			return e
		}
	}
}

// again returns how long to wait before a call is tried again, if it may be. It may where nothing was done (429, 503, nobody
// there), where an earlier try is under way, and where it is unknown whether anything was done but doing it twice is like doing it
// once. No other refusal is asked for a second time.
func (c *Client) again(r *call, e *Error, try int) (wait time.Duration, ok bool) {
	if try >= c.options.Tries || e.Kind != KindThrottled && e.Kind != KindUnavailable && e.Code != codeUnderWay {
		return 0, false
	}
	if e.doubtful() && !r.repeatable() {
		return 0, false
	}
	wait = min(firstWait<<min(try-1, 16), c.options.MaxWait)
	wait = wait/2 + rand.N(wait/2+1)
	if e.RetryAfter > c.options.MaxWait {
		return 0, false
	}
	return max(wait, e.RetryAfter), true
}

// repeatable reports whether carrying out a call twice is like carrying it out once.
func (r *call) repeatable() bool {
	switch {
	case r.repeats != byMethod:
		return r.repeats == always
	case r.method == http.MethodPost:
		return r.header.Get("Idempotency-Key") != ""
	}
	// Where the first try was carried out, the second no longer finds what it was to match.
	return r.header.Get("If-Match") == ""
}

// doubtful reports whether a call may have been carried out although it failed.
func (e *Error) doubtful() bool {
	switch {
	case e.Kind != KindUnavailable:
		return false
	case e.Status == 0:
		return e.Code != CodeUnreachable
	}
	return e.Code == CodeOutcomeUnknown || e.Code == CodeNotPostern // a proxy does not know what was done behind it
}

// intime reports whether there is time left to wait.
func intime(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) > wait)
}
