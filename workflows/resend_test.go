package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/webhook"
	"busbar/workflows"
)

// job puts a job over all that has happened on record.
func (w *world) job(kind busbar.JobKind, id busbar.EndpointID, statuses ...busbar.DeliveryStatus) busbar.Job {
	w.t.Helper()
	now := w.env.Now()
	j := busbar.Job{
		ID: busbar.NewJobID(), Environment: busbar.Sandbox, EndpointID: id, Kind: kind, Status: busbar.JobRunning,
		Since: now.Add(-24 * time.Hour), Until: now.Add(time.Hour), Statuses: statuses, CreatedAt: now,
	}
	_, err := w.store.Once(w.t.Context(), nil, func(tx *store.Tx) (store.Answer, error) { return store.Answer{}, tx.CreateJob(&j) })
	must(w.t, err)
	return j
}

// carryOut runs a job and returns it as it then is.
func (w *world) carryOut(j busbar.Job) busbar.Job {
	w.t.Helper()
	w.env.ExecuteWorkflow(workflows.ResendName, workflows.ResendInput{Environment: j.Environment, JobID: j.ID})
	if !w.env.IsWorkflowCompleted() {
		w.t.Fatal("the job did not end")
	}
	must(w.t, w.env.GetWorkflowError())
	return w.readJob(j.ID)
}

func (w *world) readJob(id busbar.JobID) busbar.Job {
	w.t.Helper()
	j, err := w.store.Job(w.t.Context(), busbar.Sandbox, id)
	must(w.t, err)
	return j
}

func (w *world) wantJob(j busbar.Job, status busbar.JobStatus, total, done, failed int) {
	w.t.Helper()
	if j.Status != status || j.Total != total || j.Done != done || j.Failed != failed {
		w.t.Errorf("job is %s, %d of %d done, %d failed; want %s, %d of %d, %d",
			j.Status, j.Done, j.Total, j.Failed, status, done, total, failed)
	}
}

// settled brings the backlog's deliveries to a status.
func (w *world) settled(events []string, status busbar.DeliveryStatus) {
	w.t.Helper()
	for _, event := range events {
		list, err := w.store.DeliveriesOfEvent(w.t.Context(), busbar.Sandbox, busbar.EventID(event))
		must(w.t, err)
		must(w.t, w.store.Finish(w.t.Context(), []*store.Finished{{Status: status, Attempt: busbar.Attempt{
			DeliveryID: list[0].ID, Number: 1, At: w.env.Now(), StatusCode: 500, ErrorClass: "http_status",
		}}}))
	}
}

func TestRecoveringSendsWhatFailedOldestFirstAndOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(func(e *busbar.Endpoint) { e.MaxInFlight = 1 })
	want := w.backlog(id, 40)
	w.settled(want[:4], busbar.DeliveryFailed)
	w.settled(want[4:8], busbar.DeliveryCancelled)
	j := w.job(busbar.JobRecover, id, busbar.DeliveryFailed, busbar.DeliveryParked)
	w.wantJob(w.carryOut(j), busbar.JobCompleted, 36, 36, 0)
	if diff := cmp.Diff(slices.Concat(want[:4], want[8:]), w.sentIDs()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	missed, err := w.store.Missed(t.Context(), &j, 10)
	must(t, err)
	again := w.job(busbar.JobRecover, id, busbar.DeliveryFailed, busbar.DeliveryParked)
	left, err := w.store.Missed(t.Context(), &again, 10)
	must(t, err)
	if len(missed)+len(left) != 0 {
		t.Errorf("%d and %d are left to send after all was sent", len(missed), len(left))
	}
}

func TestRecoveringSendsWhatIsDeliveredOnceMoreWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(nil)
	want := w.backlog(id, 3)
	w.drain(id)
	j := w.job(busbar.JobRecover, id, busbar.DeliveryDelivered)
	missed, err := w.store.Missed(t.Context(), &j, 10)
	must(t, err)
	if len(missed) != len(want) {
		t.Fatalf("%d to send, want %d", len(missed), len(want))
	}
	for _, d := range missed {
		must(t, w.store.Finish(t.Context(), []*store.Finished{{Status: busbar.DeliveryDelivered, Job: j.ID, Attempt: busbar.Attempt{
			DeliveryID: d.ID, Number: d.Attempts + 1, At: w.env.Now(), StatusCode: 200,
		}}}))
	}
	if missed, err = w.store.Missed(t.Context(), &j, 10); err != nil || len(missed) != 0 {
		t.Errorf("%d to send again by the same job, %v; want none", len(missed), err)
	}
	w.wantJob(w.readJob(j.ID), busbar.JobRunning, 0, 3, 0)
}

func TestWhatFailsAgainIsCountedAndLeftAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(nil)
	want := w.backlog(id, 6)
	w.settled(want[:4], busbar.DeliveryFailed)
	w.settled(want[4:], busbar.DeliveryCancelled)
	w.answer = func(r webhook.Request) webhook.Result {
		if r.MessageID == want[2] {
			return failing(500)(r)
		}
		return webhook.Result{StatusCode: 200}
	}
	w.wantJob(w.carryOut(w.job(busbar.JobRecover, id, busbar.DeliveryFailed)), busbar.JobCompleted, 4, 3, 1)
	list, err := w.store.DeliveriesOfEvent(t.Context(), busbar.Sandbox, busbar.EventID(want[2]))
	must(t, err)
	if d := list[0]; d.Status != busbar.DeliveryFailed || d.Attempts != 2 {
		t.Errorf("it is %s after %d attempts, want failed after 2", d.Status, d.Attempts)
	}
	if got := w.sentIDs(); len(got) != 4 {
		t.Errorf("sent %d, want each of the four once", len(got))
	}
}

func TestAJobWaitsForAnEndpointThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(func(e *busbar.Endpoint) { e.MaxInFlight = 1 })
	want := w.backlog(id, 30)
	w.settled(want[:10], busbar.DeliveryFailed) // the circuit opens
	if c := w.circuit(id); c.State != busbar.CircuitOpen {
		t.Fatalf("circuit is %q, want open", c.State)
	}
	began := w.env.Now()
	w.answer = func(r webhook.Request) webhook.Result {
		if w.env.Now().Sub(began) < 2*time.Minute {
			return failing(500)(r)
		}
		return webhook.Result{StatusCode: 200}
	}
	// The oldest is tried again and again: those tries are its failures.
	j := w.carryOut(w.job(busbar.JobRecover, id, busbar.DeliveryFailed, busbar.DeliveryParked))
	if j.Status != busbar.JobCompleted || j.Done+j.Failed != j.Total {
		t.Errorf("job is %s, %d of %d done, %d failed", j.Status, j.Done, j.Total, j.Failed)
	}
	sent := w.sentIDs()
	if len(sent) < 30 || !slices.IsSorted(positions(want, sent)) {
		t.Errorf("sent out of order: %v", positions(want, sent))
	}
}

// positions are the places of the events that were sent in the order that is wanted.
func positions(want, sent []string) []int {
	places := make([]int, len(sent))
	for i, id := range sent {
		places[i] = slices.Index(want, id)
	}
	return places
}

func TestAJobIsPausedResumedAndCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(func(e *busbar.Endpoint) { e.MaxInFlight = 1 })
	want := w.backlog(id, 60)
	w.settled(want[:1], busbar.DeliveryFailed)
	j := w.job(busbar.JobRecover, id, busbar.DeliveryFailed, busbar.DeliveryParked)
	move := func(to busbar.JobStatus) {
		_, err := w.store.MoveJob(t.Context(), busbar.Sandbox, j.ID, to, "")
		must(t, err)
	}
	move(busbar.JobPaused)
	var whilePaused int
	w.env.RegisterDelayedCallback(func() {
		whilePaused = len(w.sentIDs())
		move(busbar.JobRunning)
		w.env.SignalWorkflow(workflows.WakeSignal, nil)
	}, time.Hour)
	w.answer = func(webhook.Request) webhook.Result {
		if len(w.sentIDs()) == 20 {
			_, err := w.store.MoveJob(t.Context(), busbar.Sandbox, j.ID, busbar.JobCancelled, "")
			must(t, err)
		}
		return webhook.Result{StatusCode: 200}
	}
	got := w.carryOut(j)
	if whilePaused != 0 {
		t.Errorf("sent %d while paused", whilePaused)
	}
	if n := len(w.sentIDs()); got.Status != busbar.JobCancelled || n < 20 || n > 20+8 {
		t.Errorf("job is %s after %d were sent, want cancelled within a turn of 20", got.Status, n)
	}
	if _, err := w.store.MoveJob(t.Context(), busbar.Sandbox, j.ID, busbar.JobRunning, ""); busbar.CodeOf(err) != busbar.CodeConflict {
		t.Errorf("resuming a cancelled job: %v, want CONFLICT", err)
	}
}

func TestReplayingReachesWhatHappenedBeforeTheEndpointExisted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	older := w.endpoint(nil)
	want := w.backlog(older, 25)
	newer := w.endpoint(func(e *busbar.Endpoint) { e.MaxInFlight = 1 })
	w.wantJob(w.carryOut(w.job(busbar.JobReplay, newer)), busbar.JobCompleted, 25, 25, 0)
	got := w.sentIDs()
	slices.Sort(got)
	sorted := slices.Clone(want)
	slices.Sort(sorted)
	if diff := cmp.Diff(sorted, got); diff != "" {
		t.Errorf("sent to the newer endpoint (-want +got):\n%s", diff)
	}
	again := w.job(busbar.JobReplay, newer)
	e, err := w.store.Endpoint(t.Context(), busbar.Sandbox, newer)
	must(t, err)
	left, err := w.store.Unmatched(t.Context(), &again, &e, "resend", 10)
	must(t, err)
	if len(left) != 0 {
		t.Errorf("%d are sent by a second replay, want none", len(left))
	}
}

func TestAReplayThatIsPausedWhileATurnBeginsIsNotComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	w.backlog(w.endpoint(nil), 25)
	newer := w.endpoint(func(e *busbar.Endpoint) { e.MaxInFlight = 1 })
	j := w.job(busbar.JobReplay, newer)
	move := func(to busbar.JobStatus) {
		_, err := w.store.MoveJob(t.Context(), busbar.Sandbox, j.ID, to, "")
		must(t, err)
	}
	var whilePaused busbar.Job
	w.inTurn = func() {
		w.inTurn = nil
		move(busbar.JobPaused)
		w.env.RegisterDelayedCallback(func() {
			whilePaused = w.readJob(j.ID)
			move(busbar.JobRunning)
			w.env.SignalWorkflow(workflows.WakeSignal, nil)
		}, time.Minute)
	}
	w.wantJob(w.carryOut(j), busbar.JobCompleted, 25, 25, 0)
	w.wantJob(whilePaused, busbar.JobPaused, 25, 0, 0)
	if n := len(w.sentIDs()); n != 25 {
		t.Errorf("sent %d of 25", n)
	}
}

func TestWhatACancelledReplayHasNotSentIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	older := w.endpoint(nil)
	w.backlog(older, 5)
	newer := w.endpoint(nil)
	j := w.job(busbar.JobReplay, newer)
	e, err := w.store.Endpoint(t.Context(), busbar.Sandbox, newer)
	must(t, err)
	made, err := w.store.Unmatched(t.Context(), &j, &e, "resend", 3)
	must(t, err)
	if len(made) != 3 {
		t.Fatalf("made %d deliveries, want a page of 3", len(made))
	}
	if parked, err := w.store.Parked(t.Context(), newer, 10); err != nil || len(parked) != 0 {
		t.Errorf("draining would take %d of a job's deliveries, %v", len(parked), err)
	}
	_, err = w.store.MoveJob(t.Context(), busbar.Sandbox, j.ID, busbar.JobCancelled, "")
	must(t, err)
	for _, d := range made {
		if got, err := w.store.Delivery(t.Context(), busbar.Sandbox, d.ID); busbar.CodeOf(err) != busbar.CodeNotFound {
			t.Errorf("delivery is %s, %v; want NOT_FOUND", got.Status, err)
		}
	}
}

func TestAJobOfADeletedEndpointFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(nil)
	w.backlog(id, 2)
	j := w.job(busbar.JobRecover, id, busbar.DeliveryParked)
	must(t, w.store.DeleteEndpoint(t.Context(), busbar.Sandbox, id))
	got := w.carryOut(j)
	if got.Status != busbar.JobFailed || got.Reason == "" {
		t.Errorf("job is %s because of %q, want failed with a reason", got.Status, got.Reason)
	}
}
