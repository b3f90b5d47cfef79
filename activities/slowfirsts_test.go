package activities_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"busbar"
	"busbar/activities"
	"busbar/internal/store"
	"busbar/internal/webhook"
)

// slowFirsts gives the outcomes, or the type of the error.
func (w *world) slowFirsts(t *testing.T, begun bool, targets ...activities.Target) ([]activities.Outcome, string) {
	t.Helper()
	in := activities.SlowFirstsInput{FirstsInput: activities.FirstsInput{Environment: busbar.Sandbox}, Begun: begun}
	for _, target := range targets {
		in.Targets = append(in.Targets, activities.FirstTarget{DeliveryID: target.DeliveryID, EndpointID: target.EndpointID})
	}
	// One of its own, because an environment runs one activity at a time.
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(w.acts)
	value, err := env.ExecuteActivity(w.acts.SlowFirsts, in)
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return nil, e.Type()
	}
	must(t, err)
	var outcomes []activities.Outcome
	must(t, value.Get(&outcomes))
	return outcomes, ""
}

// checkSlow compares the outcomes of SlowFirsts.
func (w *world) checkSlow(t *testing.T, begun bool, targets []activities.Target, want ...activities.Outcome) {
	t.Helper()
	got, failure := w.slowFirsts(t, begun, targets...)
	if diff := cmp.Diff(want, got); diff != "" || failure != "" {
		t.Errorf("outcomes (-want +got):\n%s%s", diff, failure)
	}
}

// unprepared are deliveries of one event each that nobody has claimed.
func (w *world) unprepared(t *testing.T, n int) []activities.Target {
	t.Helper()
	targets := make([]activities.Target, n)
	for i := range targets {
		targets[i] = w.accept(t)
		w.unclaim(t, targets[i])
	}
	clear(w.prepared)
	return targets
}

func TestSlowFirstAttemptsAreClaimedAndRecordedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	targets := w.unprepared(t, 3)
	w.checkSlow(t, false, targets, activities.OutcomeDelivered, activities.OutcomeDelivered, activities.OutcomeDelivered)
	if diff := cmp.Diff([]int{3}, w.together); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	for _, target := range targets {
		w.check(t, target, busbar.DeliveryDelivered, []int{1, 1, 1}, "")
	}
}

// The event's own task has begun the attempt, and did not wait for its end.
func TestAnAttemptThatIsUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, time.Millisecond)
	target := w.accept(t)
	w.hold, w.arrived = make(chan struct{}), make(chan struct{}, 1)
	w.firsts(t, target)
	<-w.arrived
	time.AfterFunc(10*time.Millisecond, func() { close(w.hold) })
	w.checkSlow(t, true, []activities.Target{target}, activities.OutcomeDelivered)
	w.checkSlow(t, true, []activities.Target{target}, activities.OutcomeDelivered)
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}

// hanging has one endpoint hold its requests until the test is over, and the others do what is said.
func (w *world) hanging(t *testing.T, id busbar.DeliveryID, others func(r webhook.Request) webhook.Result) {
	t.Helper()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	w.answer = func(r webhook.Request) webhook.Result {
		if r.DeliveryID == string(id) {
			<-release
			return webhook.Result{StatusCode: 200}
		}
		return others(r)
	}
}

func failing(webhook.Request) webhook.Result {
	return webhook.Result{StatusCode: 500, Class: webhook.ClassStatus, Err: "HTTP 500"}
}

// Its retry would otherwise be as late as another endpoint is slow.
func TestWhatFailsDoesNotWaitForWhatHangs(t *testing.T) {
	t.Parallel()
	soon, err := webhook.ParseSchedule("1ms")
	must(t, err)
	w := newWorldWith(t, func(c *activities.Config) { c.Schedule = soon })
	targets := w.unprepared(t, 2)
	w.hanging(t, targets[1].DeliveryID, failing)
	start := time.Now()
	w.checkSlow(t, false, targets, activities.OutcomeRetry, activities.OutcomeUnderWay)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the one that failed waited %s for the one that hangs", took)
	}
}

func TestWhatAShutEndpointWouldGetIsParkedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	targets := w.unprepared(t, 3)
	must(t, w.DisableEndpoint(t.Context(), busbar.Sandbox, targets[0].EndpointID, "by request", false))
	must(t, w.QueueUp(t.Context(), busbar.Sandbox, targets[1].EndpointID))
	w.checkSlow(t, false, targets, activities.OutcomeParked, activities.OutcomeParked, activities.OutcomeDelivered)
	w.check(t, targets[1], busbar.DeliveryParked, []int{1})
}

func TestARateIsNotWaitedForTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	targets := w.unprepared(t, 1)
	_, err := w.UpdateEndpoint(t.Context(), busbar.Sandbox, targets[0].EndpointID, func(e *busbar.Endpoint) error {
		e.RateLimit = 1
		return nil
	}, nil)
	must(t, err)
	w.checkSlow(t, false, targets, activities.OutcomePaced)
	w.check(t, targets[0], busbar.DeliveryPending, nil)
}

func TestWhatAnotherProcessAttemptsIsLeftToIt(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"at first": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			target := w.unprepared(t, 1)[0]
			claimed, err := w.ClaimFresh(t.Context(), store.FreshClaim{
				Deliveries: []store.Fresh{{DeliveryID: target.DeliveryID}}, Owner: "other", For: time.Minute,
			})
			if err != nil || len(claimed) != 1 {
				t.Fatalf("claimed %v, %v", claimed, err)
			}
			w.checkSlow(t, begun, []activities.Target{target}, activities.OutcomeBusy)
			w.check(t, target, busbar.DeliveryPending, nil)
		})
	}
}

func TestASlowFirstAttemptThatFindsNoPlaceIsPutInALine(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, time.Millisecond)
	endpoint := w.endpoint(t, 1)
	sent, late := w.acceptAt(t, endpoint), w.acceptAt(t, endpoint)
	w.unclaim(t, late)
	delete(w.prepared, late.DeliveryID)
	w.hold, w.arrived = make(chan struct{}), make(chan struct{}, 2)
	w.firsts(t, sent)
	<-w.arrived
	w.checkSlow(t, false, []activities.Target{late}, activities.OutcomeParked)
	close(w.hold)
	w.checkSlow(t, true, []activities.Target{sent}, activities.OutcomeDelivered)
	w.check(t, late, busbar.DeliveryParked, []int{1})
}

// A worker's activities would otherwise all wait for endpoints that hang.
func TestWaitingForWhatHangsHasPlacesOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, func(c *activities.Config) { c.SlowSlots, c.Patience = 1, time.Millisecond })
	held, other := w.accept(t), w.accept(t)
	w.hold, w.arrived = make(chan struct{}), make(chan struct{}, 2)
	w.firsts(t, held, other)
	<-w.arrived
	<-w.arrived
	type answer struct {
		outcomes []activities.Outcome
		failure  string
	}
	answers := make(chan answer)
	for _, target := range []activities.Target{held, other} {
		go func() {
			outcomes, failure := w.slowFirsts(t, true, target)
			answers <- answer{outcomes, failure}
		}()
	}
	if a := <-answers; a.failure != activities.ErrorBusy {
		t.Errorf("the one that finds no place has %+v", a)
	}
	fresh := w.unprepared(t, 1)
	got, failure := w.slowFirsts(t, false, fresh...)
	if diff := cmp.Diff([]activities.Outcome{activities.OutcomeUnderWay}, got); diff != "" {
		t.Errorf("an attempt that needs no place (-want +got):\n%s%s", diff, failure)
	}
	close(w.hold)
	if diff := cmp.Diff([]activities.Outcome{activities.OutcomeDelivered}, (<-answers).outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
