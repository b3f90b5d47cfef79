package store_test

import (
	"database/sql"
	"log/slog"
	"strings"
	"testing"

	"busbar/internal/store"
	"busbar/internal/storetest"
)

// A list of a million is read by SQLite in a millisecond or a second, as it goes by the right index or not.
func TestListsAreFoundByTheirIndexes(t *testing.T) {
	t.Parallel()
	path := storetest.SQLite(t)
	s, err := store.Open(t.Context(), store.Config{Path: path, Keyring: newKeyring(t), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for query, index := range map[string]string{
		"SELECT * FROM runs WHERE environment = ? AND rule_id = ? ORDER BY decided_at DESC, id DESC LIMIT 50":                                                                                                                                    "runs_by_rule (environment=? AND rule_id=?)",
		"SELECT * FROM runs WHERE environment = ? AND decision = ? AND number > 0 ORDER BY decided_at DESC, id DESC LIMIT 50":                                                                                                                    "runs_fired (environment=?)",
		"SELECT * FROM runs WHERE environment = ? AND decision = ? ORDER BY decided_at DESC, id DESC LIMIT 51":                                                                                                                                   "runs_age (environment=?)",
		"SELECT * FROM runs WHERE environment = ? AND decided_at >= ? AND decided_at < ? AND (decided_at, id) < (?, ?) ORDER BY decided_at DESC, id DESC LIMIT 51":                                                                               "runs_age (environment=? AND decided_at>? AND decided_at<?)",
		"SELECT environment, id FROM runs WHERE environment = ? AND decided_at < ? AND status <> 'open' AND decision <> 'holding' ORDER BY decided_at LIMIT ?":                                                                                   "runs_age (environment=? AND decided_at<?)",
		"SELECT id FROM actions WHERE environment = ? AND completed_at > 0 AND completed_at < ? ORDER BY completed_at LIMIT ?":                                                                                                                   "actions_ended (environment=? AND completed_at>? AND completed_at<?)",
		"SELECT environment, device_id, observed_at, received_at FROM device_history WHERE environment = ? AND received_at < ? ORDER BY received_at LIMIT ?":                                                                                     "COVERING INDEX device_history_age (environment=? AND received_at<?)",
		"SELECT id FROM jobs WHERE environment = ? AND created_at < ? AND completed_at > 0 AND completed_at < ? ORDER BY created_at LIMIT ?":                                                                                                     "jobs_list (environment=? AND created_at<?)",
		"SELECT id FROM endpoints e WHERE environment = ? AND (SELECT MIN(hour) FROM endpoint_hours h WHERE h.endpoint_id = e.id) < ? LIMIT ?":                                                                                                   "SEARCH h USING PRIMARY KEY (endpoint_id=?)",
		"SELECT * FROM runs WHERE environment = ? AND site_id = ? AND site_id <> '' ORDER BY decided_at DESC, id DESC LIMIT 50":                                                                                                                  "runs_by_site (environment=? AND site_id=?",
		"SELECT * FROM runs WHERE environment = ? AND rule_id = ? AND site_id = ? AND site_id <> '' ORDER BY decided_at DESC, id DESC LIMIT 50":                                                                                                  "runs_by_",
		"SELECT * FROM runs WHERE environment = ? AND event_id = ? AND event_id <> ''":                                                                                                                                                           "runs_by_event (environment=? AND event_id=?)",
		"SELECT * FROM runs WHERE environment = ? AND (root_id = ? AND root_id <> '') ORDER BY +decided_at, id LIMIT 201":                                                                                                                        "runs_by_root (environment=? AND root_id=?)",
		"SELECT * FROM events WHERE environment = ? AND (root_id = ? AND root_id <> '') ORDER BY +received_at, id LIMIT 201":                                                                                                                     "events_by_root (environment=? AND root_id=?)",
		"SELECT * FROM actions WHERE environment = ? AND (run_id IN (?, 'b') AND run_id <> '') ORDER BY +created_at, id LIMIT 201":                                                                                                               "actions_by_run (environment=? AND run_id=?)",
		"SELECT * FROM deliveries WHERE environment = ? AND (event_id IN (?, 'b')) ORDER BY +created_at, id LIMIT 201":                                                                                                                           "deliveries_by_event (environment=? AND event_id=?)",
		"UPDATE runs SET decision = 'fired' WHERE environment = ? AND hold_id = ? AND hold_id <> '' AND decision = 'holding'":                                                                                                                    "runs_by_hold (environment=? AND hold_id=?)",
		"SELECT * FROM rule_keys WHERE environment = ? AND rule_id = ? AND hold_id <> ''":                                                                                                                                                        "rule_keys_by_rule (environment=? AND rule_id=?",
		"SELECT id FROM runs WHERE environment = ? AND rule_id = ? AND decision IN ('false', 'already_true') ORDER BY decided_at DESC LIMIT 5 OFFSET 7":                                                                                          "runs_idle (environment=? AND rule_id=?)",
		"SELECT * FROM deliveries WHERE environment = ? AND event_id IN (SELECT id FROM events WHERE environment = ? AND type IN (?, 'b')) AND endpoint_id || '' = ? AND (+created_at, id) < (?, ?) ORDER BY +created_at DESC, id DESC LIMIT 51": "deliveries_by_event (environment=? AND event_id=?)",
		"SELECT * FROM events WHERE environment = ? AND type IN (?, 'b') AND site_id || '' = ? ORDER BY +received_at DESC, id DESC LIMIT 51":                                                                                                     "events_by_type (environment=? AND type=?)",
		"SELECT count(*) FROM (SELECT 1 FROM events WHERE environment = ? AND type IN (?, 'b') LIMIT 2001) AS bounded":                                                                                                                           "COVERING INDEX events_by_type (environment=? AND type=?)",
		"SELECT min(type) FROM events WHERE environment = ? AND type > ?":                                                                                                                                                                        "COVERING INDEX events_by_type (environment=? AND type>?)",
		"SELECT endpoint_id, created_at / 3600000000 AS bucket, count(*) FROM deliveries WHERE environment = ? AND created_at >= ? AND created_at < ? GROUP BY bucket, endpoint_id":                                                              "COVERING INDEX deliveries_list (environment=? AND created_at>? AND created_at<?)",
		"SELECT * FROM deliveries WHERE environment = ? AND status <> 'delivered' AND endpoint_id || '' = ? AND status = ? AND created_at >= ? ORDER BY created_at DESC, id DESC LIMIT 51":                                                       "deliveries_by_status (environment=? AND status=? AND created_at>?)",
		"SELECT * FROM audit_log WHERE target = ? AND actor_id || '' IN (?) AND at >= ? AND (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT 51":                                                                                                "audit_log_by_target (target=? AND at>?",
		"SELECT * FROM audit_log WHERE action IN (?, 'b') ORDER BY +at DESC, id DESC LIMIT 51":                                                                                                                                                   "audit_log_by_action (action=?)",
		"SELECT * FROM audit_log WHERE action || '' IN (?, 'b') ORDER BY at DESC, id DESC LIMIT 51":                                                                                                                                              "audit_log_list",
		"SELECT * FROM audit_log WHERE environment = ? ORDER BY at DESC, id DESC LIMIT 51":                                                                                                                                                       "audit_log_by_environment (environment=?)",
		"SELECT count(*) FROM (SELECT 1 FROM audit_log WHERE actor_id IN (?) AND at >= ? LIMIT 2001) AS bounded":                                                                                                                                 "COVERING INDEX audit_log_by_actor (actor_id=? AND at>?)",
		"SELECT min(action) FROM audit_log WHERE action > ?":                                                                                                                                                                                     "COVERING INDEX audit_log_by_action (action>?)",
		"SELECT actor_name FROM audit_log WHERE actor_id = ? ORDER BY at DESC, id DESC LIMIT 1":                                                                                                                                                  "audit_log_by_actor (actor_id=?)",
		"UPDATE run_packs SET unlisted = FALSE WHERE (environment, event_id) IN ((?, ?), ('a', 'b'))":                                                                                                                                            "PRIMARY KEY (environment=? AND event_id=?)",
	} {
		if plan := planOf(t, db, query, strings.Count(query, "?")); !strings.Contains(plan, index) {
			t.Errorf("%s\ngoes by %s, want %s", query, plan, index)
		}
	}
}

func planOf(t *testing.T, db *sql.DB, query string, values int) string {
	t.Helper()
	args := make([]any, values)
	for i := range args {
		args[i] = "x"
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "; ")
}
