package client

import (
	"context"
	"time"
)

// SetPause has a Client wait between tries as a test wants.
func SetPause(c *Client, wait func(context.Context, time.Duration) error) { c.pause = wait }

// SetLongest bounds the answers that a Client reads, in bytes.
func SetLongest(c *Client, longest int64) { c.longest = longest }

// ReadError and BaseURL are for fuzzing.
var (
	ReadError = readError
	BaseURL   = baseURL
)

// Path returns the path of a call about a user of that name; ok is false where it is refused.
func Path(user string) (path string, ok bool) {
	r := to("POST", "/v1/users/{user}/authenticate", user)
	return r.path, r.err == nil
}

// ReadToken returns for how long a token is believed to last.
func ReadToken(text string) time.Duration {
	t := readToken(text, time.Unix(1e9, 0))
	return t.expires.Sub(t.received)
}

// SetNow gives a Client a clock.
func SetNow(c *Client, now func() time.Time) { c.now = now }

// SetSignerNow gives a signer a clock.
func SetSignerNow(s *APTSigner, now func() time.Time) { s.now = now }
