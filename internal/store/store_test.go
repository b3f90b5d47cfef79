package store_test

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"busbar/internal/keyring"
	"busbar/internal/pgtest"
	"busbar/internal/store"
	"busbar/internal/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// opened is a store of its own for one test, with what the test needs around it.
type opened struct {
	*store.Store
	clock *clock
	// reopen connects once more to the same database, as another process would.
	reopen func(t *testing.T) *store.Store
}

// eachStore runs a test against every kind of database, each empty and migrated.
func eachStore(t *testing.T, test func(t *testing.T, s *opened)) {
	t.Helper()
	for name, config := range map[string]func(t *testing.T) store.Config{
		"sqlite": func(t *testing.T) store.Config {
			t.Helper()
			return store.Config{Path: storetest.SQLite(t)}
		},
		"postgres": func(t *testing.T) store.Config {
			t.Helper()
			return store.Config{URL: storetest.Postgres(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			cfg := config(t)
			cfg.Keyring, cfg.Now, cfg.Logger = newKeyring(t), clk.now, slog.New(slog.DiscardHandler)
			open := func(t *testing.T) *store.Store {
				t.Helper()
				s, err := store.Open(t.Context(), cfg)
				if err != nil {
					t.Fatalf("open store: %v", err)
				}
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Errorf("close store: %v", err)
					}
				})
				return s
			}
			test(t, &opened{Store: open(t), clock: clk, reopen: open})
		})
	}
}

func newKeyring(t *testing.T) *keyring.Keyring {
	t.Helper()
	key, err := keyring.Generate()
	if err != nil {
		t.Fatalf("generate master key: %v", err)
	}
	ring, err := keyring.Parse(key)
	if err != nil {
		t.Fatalf("parse master key: %v", err)
	}
	return ring
}

// clock moves only when told to.
type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 6, 1, 10, 30, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.us.Add(d.Microseconds()) }

// once runs create as a request without an Idempotency-Key does.
func once(ctx context.Context, s *store.Store, create func(tx *store.Tx) error) error {
	_, err := s.Once(ctx, nil, func(tx *store.Tx) (store.Answer, error) { return store.Answer{}, create(tx) })
	return err
}
