package client

import (
	"context"
	"time"
)

// SetPause has a Client wait between tries as a test wants.
func SetPause(c *Client, wait func(context.Context, time.Duration) error) { c.pause = wait }

// ReadError is for fuzzing.
var ReadError = readError

// SetNow gives a Client a clock.
func SetNow(c *Client, now func() time.Time) { c.now = now }

// SetSignerNow gives a signer a clock.
func SetSignerNow(s *APTSigner, now func() time.Time) { s.now = now }
