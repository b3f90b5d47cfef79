// Package storetest gives tests databases that are migrated already. Migrating is most of what a short test would do: the
// first that asks pays for it, and the others get copies.
package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"busbar/internal/keyring"
	"busbar/internal/pgtest"
	"busbar/internal/store"
)

// file is what a migrated SQLite database is made of.
var file = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "busbar-storetest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "busbar.db")
	if err := migrate(context.Background(), store.Config{Path: path}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// SQLite returns the path of a migrated database, the test's own.
func SQLite(tb testing.TB) string {
	tb.Helper()
	content, err := file()
	if err != nil {
		tb.Fatalf("prepare a database: %v", err)
	}
	path := filepath.Join(tb.TempDir(), "busbar.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatalf("copy a database: %v", err)
	}
	return path
}

// Postgres returns the address of a migrated database, the test's own. The test binary's TestMain calls pgtest.Main.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return pgtest.Copy(tb, func(ctx context.Context, dsn string) error { return migrate(ctx, store.Config{URL: dsn}) })
}

// migrate needs a keyring only because every store has one; no secret is written.
func migrate(ctx context.Context, cfg store.Config) (err error) {
	key, err := keyring.Generate()
	if err != nil {
		return err
	}
	if cfg.Keyring, err = keyring.Parse(key); err != nil {
		return err
	}
	s, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	_, err = s.Migrate(ctx)
	return err
}

// Insert takes the ids of events and inserts them, as accepting them does.
func Insert(tx *store.DecisionTx, all ...store.Accepted) error {
	for i := range all {
		e := &all[i].Event
		id := map[store.EventRef]store.ContentHash{{Environment: e.Environment, ID: e.ID}: {}}
		if _, err := tx.UseEventIDs(e.ReceivedAt, id); err != nil {
			return err
		}
	}
	return tx.Insert(all)
}
