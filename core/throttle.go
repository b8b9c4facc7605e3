package core

import (
	"context"
	"fmt"
	"time"
)

// ErrThrottled says that there were too many attempts. What is returned is a copy that says how many there are at
// once, and after what time there is another (Limit, RetryAfter).
var ErrThrottled = &Error{Kind: KindThrottled, Code: "too_many_attempts", Detail: "too many attempts; try again later"}

// take takes one of the attempts that a bucket holds, or fails with ErrThrottled.
func (d *deps) take(ctx context.Context, b Bucket, rate Rate, now time.Time) error {
	left, err := d.store.Hit(ctx, b, rate, now)
	if err != nil {
		return fmt.Errorf("core: count attempt: %w", err)
	}
	if left.OK {
		return nil
	}
	refusal := ErrThrottled.retryAfter(left.RetryAfter)
	refusal.Limit = rate.Burst
	return refusal
}
