package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/internal/pgtest"
)

var (
	away           = flag.Duration("away", time.Minute, "how long Temporal is away in TestTemporalAway")
	writeHistories = flag.Bool("write-histories", false, "write the histories in workflows/testdata anew")
)

// binaries is where TestMain has put the programs.
var binaries string

// buildTimeout is long because the embedded Temporal server takes ten minutes of one processor when nothing is cached.
const buildTimeout = 30 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (_ int, err error) {
	if binaries, err = os.MkdirTemp("", "busbar-e2e-"); err != nil {
		return 1, fmt.Errorf("make directory: %w", err)
	}
	defer func() {
		if removeErr := os.RemoveAll(binaries); err == nil {
			err = removeErr
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	// Plain, even when the tests themselves are built for the race detector: see the package's description.
	build := exec.CommandContext(ctx, "go", "build", "-o", binaries+string(filepath.Separator),
		"busbar/cmd/busbar", "busbar/internal/embedded/standin")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build programs: %w\n%s", err, out)
	}
	return pgtest.Main(m), nil
}

// sources looks at every directory of the module, once. go test keeps results for as long as what its tests have looked at
// stays the same, and does not know what the build reads.
var sources = sync.OnceValue(readSources)

func readSources() error {
	const root = "../.."
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look at the sources: %w", err)
	}
	return nil
}
