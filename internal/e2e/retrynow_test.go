package e2e_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
)

func (a *api) retry(t *testing.T, d delivery) {
	t.Helper()
	must[delivery](t, a, http.MethodPost, "/v1/deliveries/"+d.ID+"/retry", nil, http.StatusAccepted)
}

// Retry now means now, and leaves the schedule where it was.
func TestRetryNow(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1h,2h")
	s := newSink(t)
	s.behave(status(503))
	d.subscribe(t, s, nil)
	d.post(t, "evt_now")
	before := d.awaitDelivery(t, "evt_now", "tried once", func(d delivery) bool { return d.AttemptCount == 1 })
	if wait := time.Until(before.NextAttemptAt); wait < 50*time.Minute {
		t.Fatalf("next attempt in %s, want in an hour", wait)
	}
	for n := 2; n <= 3; n++ {
		d.retry(t, before)
		s.awaitCount(n)
		after := d.awaitDelivery(t, "evt_now", "tried again", func(d delivery) bool { return d.AttemptCount == n })
		if after.Status != "pending" || !after.NextAttemptAt.Equal(before.NextAttemptAt) {
			t.Errorf("after retry now: %s, next attempt at %s; want pending and %s", after.Status, after.NextAttemptAt, before.NextAttemptAt)
		}
	}
	s.behave(status(200))
	d.retry(t, before)
	d.awaitDelivered(t, "evt_now")
	checkNumbers(t, s, 4)
	awaitWorkflow(t, d, before.WorkflowID)
}

// A cancelled delivery is not sent any more, and its workflow does not wait for it.
func TestCancel(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1h")
	s := newSink(t)
	s.behave(status(500))
	d.subscribe(t, s, nil)
	d.post(t, "evt_cancel")
	before := d.awaitDelivery(t, "evt_cancel", "tried once", func(d delivery) bool { return d.AttemptCount == 1 })
	got := must[delivery](t, d.api, http.MethodPost, "/v1/deliveries/"+before.ID+"/cancel", nil, http.StatusOK)
	if got.Status != "cancelled" || !got.NextAttemptAt.IsZero() {
		t.Errorf("answer: %s, next attempt at %s", got.Status, got.NextAttemptAt)
	}
	awaitWorkflow(t, d, before.WorkflowID)
	checkNumbers(t, s, 1)
	ans, err := call[delivery](t.Context(), d.api, http.MethodPost, "/v1/deliveries/"+before.ID+"/cancel", nil)
	if err != nil || ans.Status != http.StatusConflict || ans.Error.Code != "CONFLICT" {
		t.Errorf("a second cancel: %d %s %v, want 409 CONFLICT", ans.Status, ans.Error.Code, err)
	}
}

// Whatever has become of a delivery, it can be sent again.
func TestRetryAfterTheEnd(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1h")
	for _, end := range []string{"delivered", "failed", "cancelled"} {
		s := newSink(t)
		switch end {
		case "failed":
			s.behave(func(arrival) reply {
				return reply{status: 500, header: map[string]string{"webhook-delivery": "abort-message"}}
			})
		case "cancelled":
			s.behave(status(500))
		}
		ep := d.subscribe(t, s, nil)
		id := "evt_" + end
		d.post(t, id)
		before := d.awaitDelivery(t, id, "tried once", func(d delivery) bool { return d.AttemptCount == 1 })
		if end == "cancelled" {
			before = must[delivery](t, d.api, http.MethodPost, "/v1/deliveries/"+before.ID+"/cancel", nil, http.StatusOK)
		}
		if before.Status != end {
			t.Fatalf("the delivery is %s, want %s", before.Status, end)
		}
		awaitWorkflow(t, d, before.WorkflowID)
		s.behave(status(200))
		for n := 2; n <= 3; n++ {
			d.retry(t, before)
			after := d.awaitDelivery(t, id, "sent again", func(d delivery) bool { return d.Status == "delivered" && d.AttemptCount == n })
			awaitWorkflow(t, d, after.WorkflowID)
		}
		checkNumbers(t, s, 3)
		must[any](t, d.api, http.MethodDelete, "/v1/endpoints/"+ep.ID, nil, http.StatusOK)
	}
}

// awaitWorkflow returns when a workflow has completed.
func awaitWorkflow(t *testing.T, d *dev, id string) {
	t.Helper()
	c := d.temporalClient(t)
	await(t, "workflow "+id+" to complete", func() bool {
		desc, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		if _, unknown := errors.AsType[*serviceerror.NotFound](err); unknown {
			return false // the start follows the 202
		}
		if err != nil {
			t.Fatalf("describe workflow: %v", err)
		}
		return desc.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	})
}
