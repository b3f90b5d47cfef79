package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"busbar/internal/pgtest"
)

func TestServerKeepsItsDataWhileItIsAway(t *testing.T) {
	t.Parallel()
	s := pgtest.NewServer(t)
	dsn := s.DSN()
	if _, err := connect(t, dsn).Exec(t.Context(), "CREATE TABLE kept (id int)"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.Stop(t)
		if _, err := pgx.Connect(t.Context(), dsn); err == nil {
			t.Error("the server answers after Stop")
		}
		s.Start(t)
		if got := s.DSN(); got != dsn {
			t.Errorf("address = %s, before %s", got, dsn)
		}
		if _, err := connect(t, dsn).Exec(t.Context(), "INSERT INTO kept VALUES (1)"); err != nil {
			t.Error(err)
		}
	}
	s.Stop(t)
	s.Stop(t) // nothing to do, now and when the test ends
}
