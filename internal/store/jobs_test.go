package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// startJob puts a job over all that has happened on record.
func startJob(t *testing.T, s *opened, kind busbar.JobKind, id busbar.EndpointID, statuses ...busbar.DeliveryStatus) busbar.Job {
	t.Helper()
	now := s.clock.now()
	j := busbar.Job{
		ID: busbar.NewJobID(), Environment: busbar.Sandbox, EndpointID: id, Kind: kind, Status: busbar.JobRunning,
		Since: now.Add(-24 * time.Hour), Until: now.Add(time.Hour), Statuses: statuses, CreatedAt: now,
	}
	if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateJob(&j) }); err != nil {
		t.Fatal(err)
	}
	return j
}

func moveJob(t *testing.T, s *opened, j busbar.Job, to busbar.JobStatus) busbar.Job {
	t.Helper()
	moved, err := s.MoveJob(t.Context(), busbar.Sandbox, j.ID, to, "")
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// missed are what a job has yet to send.
func missed(t *testing.T, s *opened, j busbar.Job) []busbar.Delivery {
	t.Helper()
	list, err := s.Missed(t.Context(), &j, 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// resend records what came of a job's attempt at a delivery.
func resend(t *testing.T, s *opened, j busbar.Job, d busbar.Delivery, status busbar.DeliveryStatus, code int) {
	t.Helper()
	now, err := s.Delivery(t.Context(), busbar.Sandbox, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	f := finished(d.ID, now.Attempts+1, status)
	if f.Job, f.Attempt.StatusCode = j.ID, code; code >= 300 {
		f.Attempt.ErrorClass = "http_status"
	}
	if err := s.Finish(t.Context(), []*store.Finished{f}); err != nil {
		t.Fatal(err)
	}
}

func TestTwoJobsAtOnceSendNothingAgainAndAgain(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		for _, d := range pend(t, s, id, 5) {
			attempted(t, s, d, 1, busbar.DeliveryDelivered, 200)
		}
		older, younger := startJob(t, s, busbar.JobRecover, id, busbar.DeliveryDelivered), startJob(t, s, busbar.JobRecover, id, busbar.DeliveryDelivered)
		sent := map[busbar.JobID]int{}
		send := func(j busbar.Job, batch []busbar.Delivery) {
			for _, d := range batch {
				resend(t, s, j, d, busbar.DeliveryDelivered, 200)
				sent[j.ID]++
			}
		}
		// Each takes a batch, and each sends what it has taken although the other may have been quicker.
		both := [][]busbar.Delivery{missed(t, s, older)[:3], missed(t, s, younger)[:3]}
		send(younger, both[1])
		send(older, both[0])
		for range 5 {
			send(older, missed(t, s, older))
			send(younger, missed(t, s, younger))
		}
		if sent[older.ID] != 5 || sent[younger.ID] != 5 {
			t.Errorf("the jobs have sent %d and %d of five", sent[older.ID], sent[younger.ID])
		}
	})
}

func TestAJobDoesNotCountAsDoneWhatAYoungerOneTriedInVain(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		failed := pend(t, s, id, 4)
		for _, d := range failed {
			attempted(t, s, d, 1, busbar.DeliveryFailed, 500)
		}
		older, younger := startJob(t, s, busbar.JobRecover, id, busbar.DeliveryFailed), startJob(t, s, busbar.JobRecover, id, busbar.DeliveryFailed)
		for _, j := range []*busbar.Job{&older, &younger} {
			e, err := s.Endpoint(t.Context(), busbar.Sandbox, id)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.CountJob(t.Context(), j, &e); err != nil {
				t.Fatal(err)
			}
		}
		resend(t, s, older, failed[0], busbar.DeliveryFailed, 500)
		resend(t, s, younger, failed[1], busbar.DeliveryFailed, 500)
		resend(t, s, younger, failed[2], busbar.DeliveryFailed, 500)
		resend(t, s, younger, failed[3], busbar.DeliveryDelivered, 200)
		if n := len(missed(t, s, older)); n != 0 {
			t.Errorf("%d are left to the older job, want none", n)
		}
		if n := len(missed(t, s, younger)); n != 1 {
			t.Errorf("%d are left to the younger job, want the one that only the older has tried", n)
		}
		if j := moveJob(t, s, older, busbar.JobCompleted); j.Total != 4 || j.Failed != 3 || j.Done != 1 {
			t.Errorf("the older job: %d done and %d failed of %d, want 1 and 3 of 4", j.Done, j.Failed, j.Total)
		}
	})
}

func TestACancelledReplayLeavesWhatItHasNotTriedToTheNext(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		pend(t, s, subscribe(t, s), 5)
		id := subscribe(t, s)
		e, err := s.Endpoint(t.Context(), busbar.Sandbox, id)
		if err != nil {
			t.Fatal(err)
		}
		e.EventTypes, e.Filter = nil, ""
		replayed := func(j busbar.Job) []busbar.Delivery {
			list, err := s.Unmatched(t.Context(), &j, &e, "resend", 3)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		first := startJob(t, s, busbar.JobReplay, id)
		made := replayed(first)
		// The attempt at one is under way.
		claim, err := s.Claim(t.Context(), store.ClaimRequest{
			DeliveryID: made[0].ID, EndpointID: id, Owner: "resend", For: time.Minute, Also: []busbar.DeliveryStatus{busbar.DeliveryParked},
		})
		if err != nil || claim.Outcome != store.Claimed {
			t.Fatalf("claim: %s, %v", claim.Outcome, err)
		}
		moveJob(t, s, first, busbar.JobCancelled)
		if d, err := s.Delivery(t.Context(), busbar.Sandbox, made[0].ID); err != nil || d.Status != busbar.DeliveryCancelled {
			t.Errorf("what is under way is %s, %v; want cancelled", d.Status, err)
		}
		second := startJob(t, s, busbar.JobReplay, id)
		events := map[busbar.EventID]bool{made[0].EventID: true}
		for range 2 {
			for _, d := range replayed(second) {
				events[d.EventID] = true
				resend(t, s, second, d, busbar.DeliveryDelivered, 200)
			}
		}
		if len(events) != 5 || len(replayed(second)) != 0 {
			t.Errorf("the two replays have reached %d of five events", len(events))
		}
	})
}

func TestAReplayThatDoesNotRunHasNotReachedItsEnd(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		pend(t, s, subscribe(t, s), 2)
		id := subscribe(t, s)
		e, err := s.Endpoint(t.Context(), busbar.Sandbox, id)
		if err != nil {
			t.Fatal(err)
		}
		e.EventTypes, e.Filter = nil, ""
		j := startJob(t, s, busbar.JobReplay, id)
		for _, to := range []busbar.JobStatus{busbar.JobPaused, busbar.JobCancelled} {
			moveJob(t, s, j, to)
			_, err = s.Unmatched(t.Context(), &j, &e, "resend", 3)
			wantCode(t, err, busbar.CodeConflict)
		}
		j = startJob(t, s, busbar.JobReplay, id)
		if err := s.DeleteEndpoint(t.Context(), busbar.Sandbox, id); err != nil {
			t.Fatal(err)
		}
		_, err = s.Unmatched(t.Context(), &j, &e, "resend", 3)
		wantCode(t, err, busbar.CodeNotFound)
	})
}

func TestDeletingAnEndpointEndsItsJobs(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id, other := subscribe(t, s), subscribe(t, s)
		running, paused := startJob(t, s, busbar.JobRecover, id, busbar.DeliveryFailed), startJob(t, s, busbar.JobReplay, id)
		cancelled, theirs := startJob(t, s, busbar.JobReplay, id), startJob(t, s, busbar.JobReplay, other)
		moveJob(t, s, paused, busbar.JobPaused)
		moveJob(t, s, cancelled, busbar.JobCancelled)
		if err := s.DeleteEndpoint(t.Context(), busbar.Sandbox, id); err != nil {
			t.Fatal(err)
		}
		got := map[busbar.JobID]string{}
		for _, j := range []busbar.Job{running, paused, cancelled, theirs} {
			now, err := s.Job(t.Context(), busbar.Sandbox, j.ID)
			if err != nil {
				t.Fatal(err)
			}
			got[j.ID] = string(now.Status) + " " + now.Reason
			if now.Status.Open() != now.CompletedAt.IsZero() {
				t.Errorf("job is %s and ended at %v", now.Status, now.CompletedAt)
			}
		}
		const gone = "failed the endpoint was deleted"
		want := map[busbar.JobID]string{running.ID: gone, paused.ID: gone, cancelled.ID: "cancelled ", theirs.ID: "running "}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		_, err := s.MoveJob(t.Context(), busbar.Sandbox, paused.ID, busbar.JobRunning, "")
		wantCode(t, err, busbar.CodeConflict)
	})
}
