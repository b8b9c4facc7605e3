package client

import (
	"context"
	"time"
)

// SetPause has a Client wait between tries as a test wants.
func SetPause(c *Client, wait func(context.Context, time.Duration) error) { c.pause = wait }

// ReadError is for fuzzing.
var ReadError = readError
