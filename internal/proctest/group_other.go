//go:build !linux

package proctest

import (
	"os"
	"syscall"
)

// asGroup does nothing here: a test process that is killed leaves what it started behind.
func asGroup() *syscall.SysProcAttr { return nil }

// killGroup kills a process alone.
func killGroup(p *os.Process) { _ = p.Kill() }

// reserve does nothing here.
func reserve(int) error { return nil }
