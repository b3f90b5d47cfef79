package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
)

// prefix begins the name of every cluster's directory.
const prefix = "busbar-pg-"

// directory is where a cluster keeps its data, its socket and its log. Its lock is held as long as the test binary or
// the server lives, so a directory whose lock can be had belongs to nobody.
type directory struct {
	path string
	lock *os.File
}

// newDirectory makes an empty directory that only user can enter, after removing those that died binaries have left.
func newDirectory(user account) (directory, error) {
	parent := os.TempDir()
	if len(filepath.Join(parent, prefix+"0123456789")) > socketPathMax {
		parent = "/tmp" // Sockets must have short names, even where TMPDIR does not.
	}
	if err := sweep(parent); err != nil {
		return directory{}, err
	}
	path, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return directory{}, fmt.Errorf("make directory: %w", err)
	}
	lock, err := claim(path)
	if err != nil {
		return directory{}, err
	}
	dir := directory{path: path, lock: lock}
	if err := user.own(path); err != nil {
		return directory{}, fmt.Errorf("give directory to the server's user: %w", err)
	}
	return dir, nil
}

// claim creates the lock of a directory, which appears there only once it is held.
func claim(path string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(path, "lock.new"), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create lock: %w", err)
	}
	if _, err := tryLock(lock); err != nil {
		return nil, err
	}
	if err := os.Rename(lock.Name(), filepath.Join(path, "lock")); err != nil {
		return nil, fmt.Errorf("show lock: %w", err)
	}
	return lock, nil
}

// sweep removes the directories of dead test binaries. Those of other users are not ours to open, and stay.
func sweep(parent string) error {
	locks, err := filepath.Glob(filepath.Join(parent, prefix+"*", "lock"))
	if err != nil {
		return fmt.Errorf("list clusters: %w", err)
	}
	for _, name := range locks {
		if err := sweepOne(name); err != nil {
			return err
		}
	}
	return nil
}

func sweepOne(name string) error {
	lock, err := os.OpenFile(name, os.O_RDWR, 0)
	if os.IsNotExist(err) || os.IsPermission(err) {
		return nil // Removed meanwhile, or another user's.
	}
	if err != nil {
		return fmt.Errorf("open lock: %w", err)
	}
	dead, err := tryLock(lock)
	if err == nil && dead {
		err = os.RemoveAll(filepath.Dir(name))
	}
	if closeErr := lock.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("remove an old cluster: %w", err)
	}
	return nil
}

func (d directory) data() string { return filepath.Join(d.path, "data") }
func (d directory) log() string  { return filepath.Join(d.path, "log") }

// remove deletes everything and lets the lock go.
func (d directory) remove() error {
	if err := os.RemoveAll(d.path); err != nil {
		return fmt.Errorf("remove directory: %w", err)
	}
	return d.lock.Close()
}

// logTail is the end of the server's log as an error, for a server that did not start.
func (d directory) logTail() error {
	text, err := os.ReadFile(d.log())
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	const tail = 2 << 10
	text = text[max(0, len(text)-tail):]
	return fmt.Errorf("log of postgres: %s", text)
}
