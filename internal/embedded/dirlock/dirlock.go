// Package dirlock keeps a second process from using a directory that one is using already.
package dirlock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrHeld says that another process, or another lock of this one, holds the directory.
var ErrHeld = errors.New("the directory is in use by another process")

// Lock is a held directory. The operating system gives it up when the process ends, however it ends.
type Lock struct{ file *os.File }

// Acquire takes the lock file name inside dir, which must exist. It does not wait: when the lock is taken, the error
// wraps ErrHeld.
func Acquire(dir, name string) (*Lock, error) {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := lock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), file.Close())
	}
	return &Lock{file}, nil
}

// Release gives the directory up. The lock file stays: removing it would let two processes lock two files of one name.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}
