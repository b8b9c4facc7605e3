package redistest

import "syscall"

// dieWithUs makes the kernel kill the server when the thread that started it ends, however it ends.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
