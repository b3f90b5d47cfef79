package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
)

// errNotInstalled says what a machine without PostgreSQL lacks.
var errNotInstalled = errors.New("PostgreSQL is not installed: `make test` installs it on Debian; " +
	"by hand it is `apt-get install postgresql` or `brew install postgresql`")

// binaries returns the directory that holds initdb and postgres: of those that pattern matches the one of the highest
// version, else the first in path. Debian keeps both out of PATH, one directory a version.
func binaries(pattern, path string) (string, error) {
	versioned, err := filepath.Glob(pattern)
	if err != nil {
		return "", fmt.Errorf("find PostgreSQL: %w", err)
	}
	slices.SortFunc(versioned, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range append(versioned, filepath.SplitList(path)...) {
		if executable(dir, "initdb") && executable(dir, "postgres") {
			return dir, nil
		}
	}
	return "", errNotInstalled
}

// version reads 16 from …/16/bin, and 0 from anything else.
func version(dir string) int {
	number, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return number
}

func executable(dir, name string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	_, err := exec.LookPath(filepath.Join(dir, name))
	return err == nil
}

// account is who runs the server. The zero value is the user of this process.
type account struct {
	uid, gid uint32
	other    bool // switch to uid and gid
}

// serverUser is this user, or for root, as whom PostgreSQL refuses to run, the one its package has made.
func serverUser() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return account{}, fmt.Errorf("find a user for PostgreSQL, which refuses to run as root: %w", err)
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("parse user id: %w", err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("parse group id: %w", err)
	}
	return account{uid: uint32(uid), gid: uint32(gid), other: true}, nil
}

func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}
