package pgtest

import (
	"runtime"
	"syscall"
)

// withParent has the kernel stop the child at once when this process dies, however it dies.
func withParent(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.Pdeathsig = syscall.SIGQUIT
	return attr
}

// runBound keeps one thread for f: the kernel's parent of a child is the thread that started it, not the process.
func runBound(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
}
