package store_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

func mustCreateUser(t *testing.T, s *opened, name string, role busbar.Role) busbar.User {
	t.Helper()
	u := busbar.User{ID: busbar.NewUserID(), Name: name, Role: role, CreatedAt: s.clock.now()}
	if err := s.CreateUser(t.Context(), &u); err != nil {
		t.Fatalf("create user %s: %v", name, err)
	}
	return u
}

func newSession(s *opened, token string) *busbar.Session {
	now := s.clock.now()
	return &busbar.Session{
		ID: busbar.NewSessionID(), Hash: busbar.HashToken(token), Address: "127.0.0.1", UserAgent: "test",
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(busbar.SessionTime),
	}
}

func mustSignIn(t *testing.T, s *opened, u busbar.User, token string) *busbar.Session {
	t.Helper()
	session := newSession(s, token)
	session.UserID = u.ID
	if err := s.CreateSession(t.Context(), session); err != nil {
		t.Fatalf("sign in: %v", err)
	}
	return session
}

func TestUserIsReadAsWritten(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		u := busbar.User{
			ID: busbar.NewUserID(), Name: "Ada", Role: busbar.RoleOperator, PasswordHash: "hash", CreatedAt: s.clock.now(),
		}
		if err := s.CreateUser(t.Context(), &u); err != nil {
			t.Fatal(err)
		}
		got, err := s.UserByName(t.Context(), "Ada")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(u, got); diff != "" {
			t.Errorf("user changed on its way:\n%s", diff)
		}
		_, err = s.UserByName(t.Context(), "ada")
		wantCode(t, err, busbar.CodeNotFound)
		wantCode(t, s.CreateUser(t.Context(), &busbar.User{ID: busbar.NewUserID(), Name: "Ada"}), busbar.CodeConflict)
	})
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		first := mustCreateUser(t, s, "first", busbar.RoleAdmin)
		mustCreateUser(t, s, "viewer", busbar.RoleViewer)
		_, err := s.UpdateUser(t.Context(), first.ID, func(u *busbar.User) error { u.Role = busbar.RoleViewer; return nil })
		wantCode(t, err, busbar.CodeConflict)
		_, err = s.UpdateUser(t.Context(), first.ID, func(u *busbar.User) error { u.DisabledAt = s.clock.now(); return nil })
		wantCode(t, err, busbar.CodeConflict)
		wantCode(t, s.DeleteUser(t.Context(), first.ID), busbar.CodeConflict)
		if got, err := s.User(t.Context(), first.ID); err != nil || got.Role != busbar.RoleAdmin || !got.Enabled() {
			t.Fatalf("the last admin is %+v, %v after three refusals", got, err)
		}
		second := mustCreateUser(t, s, "second", busbar.RoleAdmin)
		if err := s.DeleteUser(t.Context(), first.ID); err != nil {
			t.Errorf("delete the first of two admins: %v", err)
		}
		wantCode(t, s.DeleteUser(t.Context(), second.ID), busbar.CodeConflict)
	})
}

func TestSessionsEndWhereverTheyShould(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		other := s.reopen(t)
		mustCreateUser(t, s, "root", busbar.RoleAdmin)
		u := mustCreateUser(t, s, "Ada", busbar.RoleViewer)
		stillIn := func(token string) bool {
			t.Helper()
			_, got, err := other.SessionByHash(t.Context(), busbar.HashToken(token))
			if err != nil {
				wantCode(t, err, busbar.CodeUnauthorized)
				return false
			}
			return got.ID == u.ID
		}
		session := mustSignIn(t, s, u, "one")
		mustSignIn(t, s, u, "two")
		if !stillIn("one") || !stillIn("two") || stillIn("three") {
			t.Fatal("of three tokens, not just the two that were given out let in")
		}
		// Another person cannot end it.
		if err := s.EndSession(t.Context(), busbar.NewUserID(), session.ID); err != nil || !stillIn("one") {
			t.Fatalf("a stranger ended the session: %v", err)
		}
		if err := s.EndSession(t.Context(), u.ID, session.ID); err != nil {
			t.Fatal(err)
		}
		if stillIn("one") || !stillIn("two") {
			t.Error("ending one session did not end just that")
		}
		_, err := s.UpdateUser(t.Context(), u.ID, func(u *busbar.User) error { u.PasswordHash = "other"; return nil })
		if err != nil || stillIn("two") {
			t.Errorf("a session outlived the password, %v", err)
		}
		mustSignIn(t, s, u, "three")
		_, err = s.UpdateUser(t.Context(), u.ID, func(u *busbar.User) error { u.DisabledAt = s.clock.now(); return nil })
		if err != nil || stillIn("three") {
			t.Errorf("a session outlived the account, %v", err)
		}
		_, err = s.UpdateUser(t.Context(), u.ID, func(u *busbar.User) error { u.DisabledAt = time.Time{}; return nil })
		if err != nil {
			t.Fatal(err)
		}
		mustSignIn(t, s, u, "four")
		s.clock.advance(busbar.SessionTime + time.Second)
		if stillIn("four") {
			t.Error("a session outlived its time")
		}
	})
}

func TestUseMakesASessionLast(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		u := mustCreateUser(t, s, "Ada", busbar.RoleAdmin)
		mustSignIn(t, s, u, "one")
		for range 3 {
			s.clock.advance(busbar.SessionTime / 2)
			session, _, err := s.SessionByHash(t.Context(), busbar.HashToken("one"))
			if err != nil {
				t.Fatalf("a session in use ended: %v", err)
			}
			if err := s.TouchSession(t.Context(), &session); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestALoginLinkWorksOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		u := mustCreateUser(t, s, "admin", busbar.RoleAdmin)
		for _, token := range []string{"link", "spare"} {
			if err := s.CreateLoginLink(t.Context(), busbar.HashToken(token), u.ID, s.clock.now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // looking does not use it up
			if got, err := s.LoginLinkUser(t.Context(), busbar.HashToken("link")); err != nil || got.ID != u.ID {
				t.Fatalf("link of %s, %v", got.ID, err)
			}
		}
		var (
			uses sync.WaitGroup
			mu   sync.Mutex
			in   int
		)
		for i := range 4 {
			uses.Go(func() {
				_, err := s.UseLoginLink(t.Context(), busbar.HashToken("link"), newSession(s, string(rune('a'+i))), "")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					in++
				} else if busbar.CodeOf(err) != busbar.CodeUnauthorized {
					t.Errorf("use link: %v", err)
				}
			})
		}
		uses.Wait()
		if in != 1 {
			t.Errorf("one link let in %d times", in)
		}
		_, err := s.UseLoginLink(t.Context(), busbar.HashToken("spare"), newSession(s, "spare"), "")
		wantCode(t, err, busbar.CodeUnauthorized)
		if has, err := s.HasPasswords(t.Context()); err != nil || has {
			t.Errorf("has passwords: %v, %v before one was chosen", has, err)
		}
	})
}

func TestALoginLinkMaySetThePassword(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		u := mustCreateUser(t, s, "admin", busbar.RoleAdmin)
		mustSignIn(t, s, u, "old")
		if err := s.CreateLoginLink(t.Context(), busbar.HashToken("link"), u.ID, s.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.UseLoginLink(t.Context(), busbar.HashToken("link"), newSession(s, "new"), "hash"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.SessionByHash(t.Context(), busbar.HashToken("old")); busbar.CodeOf(err) != busbar.CodeUnauthorized {
			t.Errorf("a session outlived the password: %v", err)
		}
		if _, got, err := s.SessionByHash(t.Context(), busbar.HashToken("new")); err != nil || got.PasswordHash != "hash" {
			t.Errorf("signed in as %+v, %v", got, err)
		}
		if has, err := s.HasPasswords(t.Context()); err != nil || !has {
			t.Errorf("has passwords: %v, %v", has, err)
		}
		if err := s.CreateLoginLink(t.Context(), busbar.HashToken("late"), u.ID, s.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(time.Hour + time.Second)
		_, err := s.LoginLinkUser(t.Context(), busbar.HashToken("late"))
		wantCode(t, err, busbar.CodeUnauthorized)
	})
}

func TestAuditIsReadAsWrittenAndPurgedAfterAYear(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		u := mustCreateUser(t, s, "admin", busbar.RoleAdmin)
		mustSignIn(t, s, u, "one")
		if err := s.CreateLoginLink(t.Context(), busbar.HashToken("link"), u.ID, s.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		entry := busbar.AuditEntry{
			ID: busbar.NewAuditID(), At: s.clock.now(), ActorID: string(u.ID), ActorName: u.Name, Address: "127.0.0.1",
			Environment: busbar.Live, Action: "endpoint.update", Target: "ep_1",
			Before: json.RawMessage(`{"enabled":true}`), After: json.RawMessage(`{"enabled":false}`),
		}
		if err := s.AddAudit(t.Context(), &entry); err != nil {
			t.Fatal(err)
		}
		page, err := s.Audit(t.Context(), store.AuditFilter{}, busbar.PageRequest{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]busbar.AuditEntry{entry}, page.Items); diff != "" {
			t.Errorf("audit entry changed on its way:\n%s", diff)
		}
		s.clock.advance(busbar.AuditTime - time.Minute)
		purged, err := s.Purge(t.Context(), busbar.Retention{}, 10)
		if err != nil || purged.Accounts != 2 {
			t.Errorf("purged %d of a session and a link, %v", purged.Accounts, err)
		}
		s.clock.advance(2 * time.Minute)
		purged, err = s.Purge(t.Context(), busbar.Retention{}, 10)
		if err != nil || purged.Accounts != 1 {
			t.Errorf("purged %d entries of a year ago, %v", purged.Accounts, err)
		}
	})
}

func TestDeliveriesAreCountedByHourAndStatus(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		s.clock.advance(s.clock.now().Truncate(time.Hour).Add(time.Hour).Sub(s.clock.now()))
		start := s.clock.now()
		mark := func() string {
			t.Helper()
			m, err := s.Watermark(t.Context(), busbar.Sandbox)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		before := mark()
		done := accept(t, s, nil)
		accepted := mark()
		claimAs(t, s, done.Deliveries[0].ID, "w")
		if err := s.Finish(t.Context(), []*store.Finished{finished(done.Deliveries[0].ID, 1, busbar.DeliveryDelivered)}); err != nil {
			t.Fatal(err)
		}
		delivered := mark()
		if before == accepted || accepted == delivered || mark() != delivered {
			t.Errorf("watermarks %q, %q, %q do not tell the changes", before, accepted, delivered)
		}
		job := busbar.Job{
			ID: busbar.NewJobID(), Environment: busbar.Sandbox, EndpointID: done.Deliveries[0].EndpointID, Kind: busbar.JobReplay,
			Status: busbar.JobRunning, Since: start, Until: start.Add(time.Second), CreatedAt: start,
		}
		if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateJob(&job) }); err != nil {
			t.Fatal(err)
		}
		marks := []string{delivered, mark()}
		for _, to := range []busbar.JobStatus{busbar.JobPaused, busbar.JobRunning, busbar.JobCancelled} {
			if _, err := s.MoveJob(t.Context(), busbar.Sandbox, job.ID, to, ""); err != nil {
				t.Fatal(err)
			}
			marks = append(marks, mark())
		}
		for i := 1; i < len(marks); i++ {
			if marks[i] == marks[i-1] {
				t.Errorf("watermark %q does not tell step %d of a job", marks[i], i)
			}
		}
		s.clock.advance(time.Hour)
		accept(t, s, func(a *store.Accepted) { a.Deliveries[0].Status = busbar.DeliveryParked })
		until := s.clock.now().Add(time.Hour)
		made, err := s.CountMade(t.Context(), busbar.Sandbox, start, until, time.Hour, false)
		if err != nil {
			t.Fatal(err)
		}
		want := map[time.Time]int{start.UTC(): 1, start.Add(time.Hour).UTC(): 1}
		got := map[time.Time]int{}
		for _, b := range made {
			got[b.Start] += b.Count
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("made by hour (-want +got):\n%s", diff)
		}
		open, err := s.CountUndelivered(t.Context(), busbar.Sandbox, start, until, time.Hour, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(open) != 1 || open[0].Status != busbar.DeliveryParked || open[0].Count != 1 || open[0].EndpointID == "" {
			t.Errorf("undelivered = %+v, want one that is parked", open)
		}
		if n, err := s.CountEvents(t.Context(), busbar.Sandbox, start, until); err != nil || n != 2 {
			t.Errorf("%d events, %v", n, err)
		}
		if n, err := s.CountDeliveries(t.Context(), busbar.Sandbox, busbar.DeliveryParked, 5); err != nil || n != 1 {
			t.Errorf("%d parked, %v", n, err)
		}
	})
}
