//go:build !linux

package redistest

import "syscall"

// dieWithUs does nothing here: a test process that is killed leaves its servers behind.
func dieWithUs() *syscall.SysProcAttr { return nil }
