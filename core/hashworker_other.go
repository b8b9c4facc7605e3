//go:build !linux

package core

import "time"

// lowerPriority does nothing where threads have no priority of their own.
func lowerPriority() {}

// linger waits for a while.
func linger(rest time.Duration) { time.Sleep(rest) }
