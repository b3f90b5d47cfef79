package dirlock_test

import (
	"errors"
	"testing"

	"busbar/internal/embedded/dirlock"
)

func TestSecondHolderIsRefusedUntilRelease(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := dirlock.Acquire(dir, "lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dirlock.Acquire(dir, "lock"); !errors.Is(err, dirlock.ErrHeld) {
		t.Fatalf("second Acquire: got %v, want ErrHeld", err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := dirlock.Acquire(dir, "lock")
	if err != nil {
		t.Fatalf("Acquire after Release: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestMissingDirectoryIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := dirlock.Acquire(t.TempDir()+"/absent", "lock"); err == nil {
		t.Fatal("Acquire in a missing directory succeeded")
	}
}
