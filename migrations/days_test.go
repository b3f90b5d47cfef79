package migrations_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite"

	"busbar/internal/pgtest"
	"busbar/migrations"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// What was accepted before events were kept by days: the id was noted a moment after the event. Times are of 2026-11-25,
// 2026-11-26 and, by its producer's choice of id alone, no time at all.
const before = `
INSERT INTO events (environment, id, type, device_id, site_id, timestamp, received_at, data, flags, causation, seq, root_id) VALUES
	('sandbox', 'evt_1', 'battery.full', 'dev_1', 'home', 7, 1795564800000001, '{"a":1}', 'late', '{}', 3, 'evt_0'),
	('live', 'zzz', 'push.completed', '', '', 8, 1795651200000000, '{}', '', '', 0, '');
INSERT INTO event_ids (environment, id, hash, received_at) VALUES
	('sandbox', 'evt_1', 'x', 1795564800000009), ('live', 'zzz', 'y', 1795651200000000), ('live', 'without', 'z', 5);
INSERT INTO attempts (delivery_id, number, at, duration, timing, status_code, error_class, error, request_headers, response_headers,
		response_body, truncated, next_attempt_at) VALUES
	('dlv_01a21002e80070008000000000000000', 1, 1, 2, '{}', 500, 'status', 'e', '{}', '{}', 'body', FALSE, 9),
	('dlv_01a21002e80070008000000000000000', 2, 3, 4, '{}', 200, '', '', '{}', '{}', '', TRUE, 0);
`

func TestWhatThereWasIsKeptByDays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dialect goose.Dialect
		open    func(t *testing.T) *sql.DB
	}{
		"postgres": {goose.DialectPostgres, func(t *testing.T) *sql.DB {
			t.Helper()
			return open(t, "pgx", pgtest.DSN(t))
		}},
		"sqlite": {goose.DialectSQLite3, func(t *testing.T) *sql.DB {
			t.Helper()
			return open(t, "sqlite", filepath.Join(t.TempDir(), "busbar.db"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := c.open(t)
			p, err := goose.NewProvider(c.dialect, db, os.DirFS(name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(t.Context(), 11); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			was := contents(t, db)
			if _, err := migrations.Up(t.Context(), db, migrations.Dialect(name)); err != nil {
				t.Fatal(err)
			}
			want := was
			want["event_ids"][2] = `sandbox evt_1 1795564800000001` // as its event says
			if diff := cmp.Diff(want, contents(t, db)); diff != "" {
				t.Errorf("the migration changed (-was +is):\n%s", diff)
			}
			if _, err := p.DownTo(t.Context(), 11); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, contents(t, db)); diff != "" {
				t.Errorf("the way back changed (-was +is):\n%s", diff)
			}
			if _, err := p.Up(t.Context()); err != nil {
				t.Errorf("up once more: %v", err)
			}
		})
	}
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// contents are the rows of the tables by name, as text.
func contents(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for table, query := range map[string]string{
		"events": `SELECT environment || ' ' || id || ' ' || type || ' ' || device_id || ' ' || site_id || ' ' || timestamp || ' ' || received_at
			|| ' ' || data || ' ' || flags || ' ' || causation || ' ' || seq || ' ' || root_id FROM events ORDER BY 1`,
		"event_ids": `SELECT environment || ' ' || id || ' ' || received_at FROM event_ids ORDER BY 1`,
		"attempts": `SELECT delivery_id || ' ' || number || ' ' || at || ' ' || duration || ' ' || timing || ' ' || status_code || ' ' || error_class
			|| ' ' || error || ' ' || request_headers || ' ' || response_headers || ' ' || response_body || ' ' || truncated || ' ' || next_attempt_at
			FROM attempts ORDER BY 1`,
	} {
		all[table] = texts(t, db, query)
	}
	return all
}

func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
