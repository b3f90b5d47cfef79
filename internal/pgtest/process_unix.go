//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// asUser runs a child as user.
func asUser(user account) *syscall.SysProcAttr {
	// Its own process group keeps a Ctrl-C at the terminal for the tests, which then stop it.
	attr := &syscall.SysProcAttr{Setpgid: true}
	if user.other {
		attr.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid}
	}
	return attr
}

// tryLock takes the lock of a file, or reports false when a living process has it.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return true, nil
}
