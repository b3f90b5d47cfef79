package bench

import "syscall"

// childAttributes put the server in a process group of its own, so that ctrl-C reaches the benchmark alone and the benchmark ends
// the server in order; and have the kernel kill it should the benchmark die without doing so.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
