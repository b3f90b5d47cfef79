package e2e_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"
)

// awaitStarted returns when the process has put on record that the workflows of all accepted events have started. It
// looks into the process's file, since nothing on the outside tells.
func (d *dev) awaitStarted(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.dir, "busbar.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	await(t, "all workflows on record as started", func() bool {
		var waiting int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM event_starts").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting == 0
	})
}
