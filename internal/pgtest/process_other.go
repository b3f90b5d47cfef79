//go:build unix && !linux

package pgtest

import "syscall"

// withParent changes nothing: only Linux stops a child together with its parent. The next cluster sweeps the files.
func withParent(attr *syscall.SysProcAttr) *syscall.SysProcAttr { return attr }

// runBound calls f.
func runBound(f func()) { f() }
