package store_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
)

// postgres is a store with a connection of its own to look behind it.
type postgres struct {
	*opened
	db *sql.DB
}

func openPostgres(t *testing.T) *postgres {
	t.Helper()
	clk, dsn := newClock(), storetest.Postgres(t)
	open := func(t *testing.T) *store.Store {
		t.Helper()
		s, err := store.Open(t.Context(), store.Config{URL: dsn, Keyring: newKeyring(t), Now: clk.now, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &postgres{&opened{Store: open(t), clock: clk, reopen: open}, db}
}

// acceptNow accepts an event whose delivery has an id of the store's time.
func (p *postgres) acceptNow(t *testing.T) store.Accepted {
	t.Helper()
	return accept(t, p.opened, func(a *store.Accepted) {
		id := uuid.Must(uuid.NewV7())
		a.Deliveries[0].ID = busbar.DeliveryID(fmt.Sprintf("dlv_%012x%s", p.clock.now().UnixMilli(), hex.EncodeToString(id[6:])))
	})
}

func (p *postgres) deliver(t *testing.T, a store.Accepted) {
	t.Helper()
	claimAs(t, p.opened, a.Deliveries[0].ID, "w")
	if err := p.Finish(t.Context(), []*store.Finished{finished(a.Deliveries[0].ID, 1, busbar.DeliveryDelivered)}); err != nil {
		t.Fatal(err)
	}
}

// days are the tables of days that end so.
func (p *postgres) days(t *testing.T, name string) []string {
	t.Helper()
	return texts(t, p.db, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '%\\_' || $1 ORDER BY relname", name)
}

func texts(t *testing.T, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
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

func (p *postgres) purgeAll(ctx context.Context, t *testing.T) (store.Purged, error) {
	t.Helper()
	var all store.Purged
	for {
		got, err := p.Purge(ctx, busbar.Retention{}, 100)
		all = all.Plus(got)
		if err != nil || got.Total() == 0 {
			return all, err
		}
	}
}

func TestDaysOfWhichNothingIsLeftAreDropped(t *testing.T) {
	t.Parallel()
	p := openPostgres(t)
	first := p.acceptNow(t)
	p.deliver(t, first)
	p.clock.advance(24 * time.Hour)
	second, pending := p.acceptNow(t), p.acceptNow(t)
	p.deliver(t, second)
	p.clock.advance(31 * 24 * time.Hour)
	got, err := p.purgeAll(t.Context(), t)
	if err != nil {
		t.Fatal(err)
	}
	if got.Events != 2 || got.Days != 2 {
		t.Errorf("purged %+v, want 2 events and the 2 tables of the first day", got)
	}
	for name, want := range map[string][]string{
		"20260601": nil, // both were purged
		"20260602": {"attempts_20260602", "events_20260602"},
		"20260703": {"attempts_20260703", "events_20260703"}, // today
		"20260705": {"attempts_20260705", "events_20260705"}, // ahead
	} {
		if diff := cmp.Diff(want, p.days(t, name)); diff != "" {
			t.Errorf("tables of %s (-want +got):\n%s", name, diff)
		}
	}
	if n := texts(t, p.db, "SELECT count(*)::text FROM attempts"); n[0] != "1" {
		t.Errorf("%s attempts are kept, want the one whose day still has a delivery", n[0])
	}
	if attempts, err := p.Attempts(t.Context(), second.Deliveries[0].ID); err != nil || len(attempts) > 0 {
		t.Errorf("attempts of a delivery that was purged: %v, %v", attempts, err)
	}
	p.deliver(t, pending) // its day is still there
	if got, err = p.purgeAll(t.Context(), t); err != nil || got.Events != 1 || got.Days != 2 {
		t.Errorf("purged %+v, %v; want the last event and its day", got, err)
	}
}

// The table of the day stays for live: what the sandbox has in it must not stay with it.
func TestAttemptsGoBeforeTheirDayWhereLessIsKept(t *testing.T) {
	t.Parallel()
	p := openPostgres(t)
	for _, env := range busbar.Environments() {
		leave(t, p.opened, env)
	}
	attempts := func() string {
		t.Helper()
		return strings.Join(texts(t, p.db, "SELECT COALESCE(d.environment, 'nobody') FROM attempts a LEFT JOIN deliveries d ON d.id = a.delivery_id ORDER BY 1"), " ")
	}
	keep := mustKeep(t, "sandbox=168h,live=2160h")
	for _, c := range []struct {
		later time.Duration
		left  string
	}{{0, "live sandbox"}, {169 * time.Hour, "live"}} {
		p.clock.advance(c.later)
		for range 2 {
			if _, err := p.Purge(t.Context(), keep, 100); err != nil {
				t.Fatal(err)
			}
		}
		if got := attempts(); got != c.left {
			t.Errorf("%s later attempts of %q are left, want %q", c.later, got, c.left)
		}
	}
}

// TestADropLocksNobodyOut has somebody read events for as long as a day is being dropped.
func TestADropLocksNobodyOut(t *testing.T) {
	t.Parallel()
	p := openPostgres(t)
	p.acceptNow(t)
	p.clock.advance(24 * time.Hour)
	p.deliver(t, p.acceptNow(t))
	p.clock.advance(31 * 24 * time.Hour)
	reader, err := p.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ExecContext(t.Context(), "SELECT count(*) FROM events"); err != nil {
		t.Fatal(err)
	}
	pending := func() bool {
		return texts(t, p.db, "SELECT count(*)::text FROM pg_inherits WHERE inhdetachpending")[0] == "1"
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.purgeAll(ctx, t)
		ended <- err
	}()
	for !pending() {
		select {
		case err := <-ended:
			t.Fatalf("the purge ended, %v, before it waited for the reader", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	fresh := p.acceptNow(t)
	if _, err := p.Event(t.Context(), busbar.Sandbox, fresh.Event.ID); err != nil {
		t.Errorf("read an event during a drop: %v", err)
	}
	// The process dies in the middle of it.
	cancel()
	if err := <-ended; err == nil {
		t.Fatal("the purge ended though somebody still reads")
	}
	if !pending() {
		t.Error("the table is still a part, want it half taken out")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got, err := p.purgeAll(t.Context(), t); err != nil || got.Days == 0 {
		t.Errorf("purged %+v, %v; want the drop finished", got, err)
	}
	if left := p.days(t, "20260602"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	// So that nothing is left either when it died just before its last step.
	if _, err := p.db.ExecContext(t.Context(), "CREATE TABLE events_20260102 (LIKE events)"); err != nil {
		t.Fatal(err)
	}
	if got, err := p.purgeAll(t.Context(), t); err != nil || got.Days != 1 {
		t.Errorf("purged %+v, %v; want the table that is no part any more dropped", got, err)
	}
}

func TestManyMakeADayAtOnce(t *testing.T) {
	t.Parallel()
	p := openPostgres(t)
	const processes = 6
	p.clock.advance(10 * 24 * time.Hour)
	stores := make([]*opened, processes)
	for i := range stores {
		stores[i] = &opened{Store: p.reopen(t), clock: p.clock}
	}
	var all sync.WaitGroup
	for _, s := range stores {
		all.Go(func() { (&postgres{s, p.db}).acceptNow(t) })
	}
	all.Wait()
	if diff := cmp.Diff([]string{"attempts_20260611", "events_20260611"}, p.days(t, "20260611")); diff != "" {
		t.Errorf("tables of the day (-want +got):\n%s", diff)
	}
	events, err := p.Events(t.Context(), busbar.Sandbox, store.EventFilter{}, busbar.PageRequest{Limit: 50})
	if err != nil || len(events.Items) != processes {
		t.Errorf("%d events are listed, %v; want %d", len(events.Items), err, processes)
	}
}

// A day that this process knows to be there may be gone: dropped by another, or lost with the last moments of a database that
// crashed.
func TestADayThatIsGoneIsMadeAgain(t *testing.T) {
	t.Parallel()
	p := openPostgres(t)
	p.deliver(t, p.acceptNow(t))
	p.deliver(t, p.acceptNow(t)) // now it knows
	if _, err := p.db.ExecContext(t.Context(), "DROP TABLE events_20260601, attempts_20260601"); err != nil {
		t.Fatal(err)
	}
	a := p.acceptNow(t)
	if _, err := p.db.ExecContext(t.Context(), "DROP TABLE attempts_20260601"); err != nil {
		t.Fatal(err)
	}
	p.deliver(t, a)
	if attempts, err := p.Attempts(t.Context(), a.Deliveries[0].ID); err != nil || len(attempts) != 1 {
		t.Errorf("attempts: %v, %v; want one", attempts, err)
	}
}

// A copy of the program from before there were days notes the id of an event at another time than the event. Until it is replaced, what
// it accepts must be found by the others, and be a duplicate when it comes again.
func TestWhatAnOlderCopyAcceptsIsFound(t *testing.T) {
	t.Parallel()
	p := openPostgres(t)
	p.acceptNow(t) // makes the day
	at := p.clock.now().UnixMicro()
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO event_ids (environment, id, hash, received_at) VALUES ('sandbox', 'evt_old', '\\x%064d', %d)", 0, at+1500),
		fmt.Sprintf("INSERT INTO events (environment, id, type, timestamp, received_at, data) VALUES ('sandbox', 'evt_old', 'device.updated', %d, %d, '{}')", at, at),
	} {
		if _, err := p.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if _, err := p.Event(t.Context(), busbar.Sandbox, "evt_old"); err != nil {
		t.Errorf("read it: %v", err)
	}
	decide(t, p.opened, func(tx *store.DecisionTx) error {
		taken, err := tx.UseEventIDs(p.clock.now(), map[store.EventRef]store.ContentHash{{Environment: busbar.Sandbox, ID: "evt_old"}: {1}})
		if len(taken) != 1 {
			t.Error("its id may be used again")
		}
		return err
	})
}

// TestOneDayIsLookedInto holds that what is done for every event and every attempt does not look into all days that are kept.
func TestOneDayIsLookedInto(t *testing.T) {
	t.Parallel()
	p := openPostgres(t)
	for range 5 {
		p.deliver(t, p.acceptNow(t))
		p.clock.advance(24 * time.Hour)
	}
	// All are of 2026-06-03.
	const at, id = "1780444800000000", "dlv_019e8ac7a400"
	if want := fmt.Sprintf("dlv_%012x", time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC).UnixMilli()); want != id || at[:13] != "1780444800000" {
		t.Fatalf("the day begins with %s", want)
	}
	for _, query := range []string{
		"SELECT * FROM events WHERE (environment, received_at, id) IN (('sandbox', " + at + ", 'evt_1'))",
		"SELECT * FROM events WHERE (environment, received_at, id) IN (('sandbox', " + at + ", 'evt_1'), ('live', " + at + ", 'evt_2'))",
		"DELETE FROM events WHERE environment = 'sandbox' AND (received_at, id) IN ((" + at + ", 'evt_1'), (" + at + ", 'evt_2'))",
		"SELECT * FROM events WHERE environment = 'sandbox' AND received_at >= " + at + " AND received_at < " + at + " + 1000 ORDER BY received_at DESC, id DESC LIMIT 50",
		"DELETE FROM attempts WHERE delivery_id IN ('" + id + "ff', '" + id + "fe')",
		"SELECT * FROM attempts WHERE delivery_id = '" + id + "ff' AND EXISTS (SELECT 1 FROM deliveries WHERE id = '" + id + "ff') ORDER BY number",
		"SELECT NOT EXISTS (SELECT 1 FROM environments n, LATERAL (SELECT 1 FROM events e WHERE e.environment = n.environment AND e.received_at >= " + at +
			" AND e.received_at < 86400000000 + " + at + " ORDER BY e.received_at LIMIT 1) AS first)",
	} {
		plan := strings.Join(texts(t, p.db, "EXPLAIN "+query), "\n")
		if !strings.Contains(plan, "_20260603") || strings.Contains(plan, "_20260602") || strings.Contains(plan, "_20260604") || strings.Contains(plan, "Seq Scan on events_") {
			t.Errorf("%s\nlooks into more than its day, or along it:\n%s", query, plan)
		}
	}
	// A list begins with the newest day and goes on to the one before.
	plan := strings.Join(texts(t, p.db, "EXPLAIN SELECT * FROM events WHERE environment = 'sandbox' ORDER BY received_at DESC, id DESC LIMIT 50"), "\n")
	if strings.Contains(plan, "Sort") || strings.Contains(plan, "Merge") || strings.Index(plan, "_20260605") > strings.Index(plan, "_20260604") {
		t.Errorf("a list sorts its days:\n%s", plan)
	}
}
