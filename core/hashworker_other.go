//go:build !linux

package core

// lowerPriority does nothing where threads have no priority of their own.
func lowerPriority() {}

// yieldThread does nothing there either.
func yieldThread() {}
