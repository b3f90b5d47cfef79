//go:build !lean

package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
)

// Names inside the data directory.
const (
	storeDir       = "temporal"
	storeDraft     = "temporal.new"
	lockFile       = "temporal.lock"
	versionFile    = "version"
	mainFile       = "history.db"
	visibilityFile = "visibility.db"
)

// openSQLite returns the stores in dataDir, which it creates when they are missing. The caller holds the directory.
func openSQLite(ctx context.Context, dataDir, synchronous string) (stores, error) {
	dir := filepath.Join(dataDir, storeDir)
	written, err := os.ReadFile(filepath.Join(dir, versionFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := createSQLite(ctx, dataDir); err != nil {
			return stores{}, fmt.Errorf("create Temporal's files: %w", err)
		}
	case err != nil:
		return stores{}, fmt.Errorf("read version of Temporal's files: %w", err)
	default:
		if err := checkVersion(dir, strings.TrimSpace(string(written))); err != nil {
			return stores{}, err
		}
	}
	return stores{
		// Two files have two connections, so that lists and history don't wait for each other.
		main:       sqliteConfig(filepath.Join(dir, mainFile), synchronous),
		visibility: sqliteConfig(filepath.Join(dir, visibilityFile), synchronous),
	}, nil
}

// checkVersion refuses files of another server version: the server has no schema upgrade for SQLite.
func checkVersion(dir, written string) error {
	if written == headers.ServerVersion {
		return nil
	}
	return fmt.Errorf("workflow history in %s was written by Temporal server %s and this binary has %s, which can't upgrade it: "+
		"use a binary with %[2]s, or move that directory away to begin a new history, or run `busbar serve` with PostgreSQL, "+
		"which keeps history over upgrades", dir, written, headers.ServerVersion)
}

// createSQLite makes the files in a draft directory that takes its name when all is there, so that a process killed
// meanwhile leaves nothing half made.
func createSQLite(ctx context.Context, dataDir string) error {
	dir, draft := filepath.Join(dataDir, storeDir), filepath.Join(dataDir, storeDraft)
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s exists without a version file", dir)
	}
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	if err := os.Mkdir(draft, 0o700); err != nil {
		return err
	}
	main, err := statements(sqliteMain)
	if err != nil {
		return err
	}
	visibility, err := visibilityStatements()
	if err != nil {
		return err
	}
	if err := createFile(ctx, filepath.Join(draft, mainFile), main); err != nil {
		return err
	}
	if err := createFile(ctx, filepath.Join(draft, visibilityFile), visibility); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(draft, versionFile), []byte(headers.ServerVersion+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.Rename(draft, dir); err != nil {
		return err
	}
	return syncDir(dataDir)
}

func createFile(ctx context.Context, path string, statements []string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	db, err := sql.Open(sqliteplugin.PluginName, "file:"+escape(path))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return errors.Join(execAll(ctx, db, statements), db.Close())
}

// execAll runs the statements as one transaction: one write to the disk instead of a hundred.
func execAll(ctx context.Context, db *sql.DB, statements []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin schema: %w", err)
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return errors.Join(fmt.Errorf("run %q: %w", statement, err), tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit schema: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sqliteConfig opens one file with one connection: four were slower.
func sqliteConfig(path, synchronous string) *config.SQL {
	return &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: escape(path),
		MaxConns:     1,
		MaxIdleConns: 1,
		ConnectAttributes: map[string]string{
			"mode":         "rw",
			"journal_mode": "wal",
			"synchronous":  synchronous,
			"busy_timeout": "10000",
		},
	}
}

// escape makes a path fit for a file: URI, whatever is in it.
func escape(path string) string {
	return (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}
