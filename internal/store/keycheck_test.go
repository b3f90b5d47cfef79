package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"busbar"
	"busbar/internal/keyring"
	"busbar/internal/store"
)

func TestAnotherMasterKeyIsNoticedAtTheStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "busbar.db")
	open := func(ring *keyring.Keyring) *opened {
		t.Helper()
		clk := newClock()
		s, err := store.Open(t.Context(), store.Config{Path: path, Keyring: ring, Now: clk.now})
		if err != nil {
			t.Fatalf("open store: %v", err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close store: %v", err)
			}
		})
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("migrate: %v", err)
		}
		return &opened{Store: s, clock: clk}
	}
	right, wrong := newKeyring(t), newKeyring(t)
	first := open(right)
	if err := open(wrong).CheckKeyring(t.Context()); err != nil {
		t.Errorf("a database without secrets: %v", err)
	}
	mustCreate(t, first, newEndpoint(first, busbar.Sandbox), newKey(first, "a", busbar.KeyHMAC))
	if err := open(right).CheckKeyring(t.Context()); err != nil {
		t.Errorf("the right key: %v", err)
	}
	if err := open(wrong).CheckKeyring(t.Context()); !errors.Is(err, keyring.ErrUnknownKey) {
		t.Errorf("the wrong key: %v, want %v", err, keyring.ErrUnknownKey)
	}
}

// A file that was made with a wide mode is closed to others when it is opened.
func TestDatabaseFilesAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "busbar.db")
	// The wide mode is the point.
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{Path: path, Keyring: newKeyring(t)})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 2 {
		t.Errorf("files %v, error %v, want the database and its log", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(file), mode)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("close store: %v", err)
	}
}
