package statements_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite"

	"busbar/internal/statements"
)

// counting counts what its connections prepare.
type counting struct {
	driver.Driver

	prepared atomic.Int64
}

type countingConn struct {
	statements.Conn

	driver *counting
}

func (d *counting) Open(name string) (driver.Conn, error) {
	c, err := d.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return &countingConn{c.(statements.Conn), d}, nil
}

func (c *countingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.driver.prepared.Add(1)
	return c.Conn.PrepareContext(ctx, query)
}

// open gives a pool of one connection that keeps three statements, on a table of ten numbers.
func open(t *testing.T) (*sql.DB, *counting) {
	t.Helper()
	plain, err := sql.Open("sqlite", ":memory:")
	must(t, err)
	d := &counting{Driver: plain.Driver()}
	must(t, plain.Close())
	db := sql.OpenDB(statements.NewConnector(d, filepath.Join(t.TempDir(), "test.db"), 3))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { must(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE TABLE numbers (n INTEGER NOT NULL PRIMARY KEY)")
	must(t, err)
	for n := range 10 {
		_, err := db.ExecContext(t.Context(), "INSERT INTO numbers (n) VALUES (?)", n)
		must(t, err)
	}
	if got := d.prepared.Load(); got != 1 {
		t.Fatalf("%d statements were prepared for one that ran ten times", got)
	}
	return db, d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, below int,
) int {
	t.Helper()
	var n int
	must(t, q.QueryRowContext(t.Context(), "SELECT count(*) FROM numbers WHERE n < ?", below).Scan(&n))
	return n
}

func TestTransactionsShareStatements(t *testing.T) {
	t.Parallel()
	db, d := open(t)
	before := d.prepared.Load()
	for below := range 5 {
		tx, err := db.BeginTx(t.Context(), nil)
		must(t, err)
		if n := count(t, tx, below); n != below {
			t.Errorf("%d numbers below %d", n, below)
		}
		must(t, tx.Commit())
	}
	if n := count(t, db, 7); n != 7 {
		t.Errorf("%d numbers below 7", n)
	}
	if got := d.prepared.Load() - before; got != 1 {
		t.Errorf("%d statements were prepared, want 1", got)
	}
}

func TestAStatementRunsWhileItsRowsAreRead(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	tx, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	const query = "SELECT n FROM numbers WHERE n < ? ORDER BY n"
	outer, err := tx.QueryContext(t.Context(), query, 4)
	must(t, err)
	defer outer.Close()
	pairs := 0
	for outer.Next() {
		pairs += countRows(t, tx, query)
	}
	must(t, outer.Err())
	must(t, tx.Rollback())
	if pairs != 12 {
		t.Errorf("%d pairs, want 12", pairs)
	}
}

func countRows(t *testing.T, tx *sql.Tx, query string) int {
	t.Helper()
	found, err := tx.QueryContext(t.Context(), query, 3)
	must(t, err)
	defer found.Close()
	n := 0
	for found.Next() {
		n++
	}
	must(t, found.Err())
	return n
}

func TestOnlyTheLastStatementsAreKept(t *testing.T) {
	t.Parallel()
	db, d := open(t)
	ask := func(k int) {
		var n int
		must(t, db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT count(*) + %d FROM numbers", k)).Scan(&n))
		if n != 10+k {
			t.Errorf("%d, want %d", n, 10+k)
		}
	}
	before := d.prepared.Load()
	for _, k := range []int{1, 2, 3, 1, 4, 1, 2} {
		ask(k)
	}
	// 2 was used longest ago when 4 came.
	if got := d.prepared.Load() - before; got != 5 {
		t.Errorf("%d statements were prepared, want 5", got)
	}
}

func TestAKeptStatementSeesAChangedTable(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if got := columns(t, db); got != 1 {
		t.Errorf("%d columns", got)
	}
	_, err := db.ExecContext(t.Context(), "ALTER TABLE numbers ADD COLUMN name TEXT NOT NULL DEFAULT ''")
	must(t, err)
	if got := columns(t, db); got != 2 {
		t.Errorf("%d columns after one was added", got)
	}
}

func columns(t *testing.T, db *sql.DB) int {
	t.Helper()
	found, err := db.QueryContext(t.Context(), "SELECT * FROM numbers LIMIT 1")
	must(t, err)
	defer found.Close()
	names, err := found.Columns()
	must(t, errors.Join(err, found.Err()))
	return len(names)
}

func TestAFailedStatementCanBeRunAgain(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	for range 2 {
		if _, err := db.ExecContext(t.Context(), "INSERT INTO numbers (n) VALUES (?)", 5); err == nil {
			t.Error("the same number was inserted twice")
		}
	}
	_, err := db.ExecContext(t.Context(), "INSERT INTO numbers (n) VALUES (?)", 50)
	must(t, err)
}
