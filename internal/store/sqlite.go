package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	moderncsqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"busbar/internal/statements"
)

// readers is how many connections answer queries beside the writers.
const readers = 4

// keptStatements is how many statements a connection keeps: the hot path has some dozen, in a few sizes each.
const keptStatements = 200

// openSQLite opens three pools on one file: readers, a writer whose commits reach the disk, and a writer whose
// commits reach the operating system. WAL lets the readers go on while one of the writers writes.
func (s *Store) openSQLite(ctx context.Context, cfg Config) error {
	if err := createPrivately(cfg.Path); err != nil {
		return err
	}
	full := "FULL"
	if cfg.Relaxed {
		full = "NORMAL"
	}
	var err error
	if s.durable, err = s.openPool(ctx, cfg.Path, 1, "synchronous("+full+")"); err != nil {
		return err
	}
	if s.relaxed, err = s.openPool(ctx, cfg.Path, 1, "synchronous(NORMAL)"); err != nil {
		return err
	}
	s.read, err = s.openPool(ctx, cfg.Path, readers, "query_only(1)")
	return err
}

// createPrivately makes the file, or sees to it that only its owner may read it. SQLite gives its log the same mode.
func createPrivately(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, privateFile)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := errors.Join(f.Chmod(privateFile), f.Close()); err != nil {
		return fmt.Errorf("make %s private: %w", path, err)
	}
	return nil
}

// privateFile is a mode: hashes of keys and the data of homes are for the owner's eyes.
const privateFile = 0o600

func (s *Store) openPool(ctx context.Context, path string, conns int, pragma string) (*gorm.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "foreign_keys(1)", "temp_store(MEMORY)", "cache_size(-4000)", pragma,
	}}
	// The driver has no constructor for what it registers.
	registered, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d := registered.Driver()
	if err := registered.Close(); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	name := (&url.URL{Scheme: "file", Opaque: path, RawQuery: q.Encode()}).String()
	pool := sql.OpenDB(statements.NewConnector(d, name, keptStatements))
	s.pools = append(s.pools, pool)
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	if err := pool.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db, err := gorm.Open(dialector{sqlite.Dialector{DriverName: "sqlite", Conn: pool}}, settings())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// dialector is gorm's for SQLite over the driver without cgo, whose errors gorm's own does not know.
type dialector struct{ sqlite.Dialector }

// Translate makes gorm's errors of the driver's.
func (d dialector) Translate(err error) error {
	if e, ok := errors.AsType[*moderncsqlite.Error](err); ok {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
			return gorm.ErrDuplicatedKey
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return gorm.ErrForeignKeyViolated
		}
	}
	return err
}
