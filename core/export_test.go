package core

import (
	"context"
	"time"
)

// What tests outside the package may do that callers may not.

// LeaseTime is for how long a lease holds.
const LeaseTime = leaseTime

// Hold takes a lease.
func (c *Core) Hold(ctx context.Context, name string) (bool, error) { return c.d.hold(ctx, name) }

// Leave gives a lease back.
func (c *Core) Leave(ctx context.Context, name string) { c.d.leave(ctx, name) }

// WhileLeased works while it has a lease.
func (c *Core) WhileLeased(ctx context.Context, name string, pause time.Duration, work func(context.Context) error) {
	c.d.whileLeased(ctx, name, pause, work)
}
