//go:build !linux

package e2e_test

import "syscall"

// childAttributes give a process a group of its own, so that ctrl-C reaches the tests alone.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
