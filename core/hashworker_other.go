//go:build !linux

package core

import "time"

// lowerPriority does nothing where threads have no priority of their own.
func lowerPriority() {}

// giveWay does nothing there either.
func giveWay() {}

// linger waits for a while.
func linger(rest time.Duration) { time.Sleep(rest) }
