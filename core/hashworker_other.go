//go:build !linux

package core

import "time"

// lowerPriority does nothing where threads have no priority of their own.
func lowerPriority() {}

// threadTime returns the time on the wall: that of a thread is not asked for here.
func threadTime() time.Duration { return time.Since(started) }

// giveWay does nothing there either.
func giveWay() {}
