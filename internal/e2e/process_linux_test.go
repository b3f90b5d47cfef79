package e2e_test

import "syscall"

// childAttributes give a process a group of its own, so that ctrl-C reaches the tests alone, and have the kernel kill it
// should the tests die without doing so.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
