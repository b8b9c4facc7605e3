package proctest

import (
	"os"
	"syscall"
)

// asGroup has a process begin a group of its own, and the kernel kill it when the thread that started it ends, however it ends.
func asGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills a process and those that it started.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
