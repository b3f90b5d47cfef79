package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"busbar/internal/temporal"
)

// An operator finds failing deliveries in the Temporal UI by a query, and sees attempt, reason and next try there.
func TestFailingDeliveriesAreFoundInTemporal(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1s,1h")
	healthy, failing := newSink(t), newSink(t)
	failing.behave(status(503))
	good := d.subscribe(t, healthy, nil)
	bad := d.subscribe(t, failing, nil)
	acc := d.post(t, "evt_seen")
	failing.awaitCount(2)
	c := d.temporalClient(t)
	awaitFound(t, c, temporal.FailingQuery(bad.ID), acc.WorkflowID)
	if found := query(t, c, temporal.FailingQuery(good.ID)); len(found) != 0 {
		t.Errorf("the healthy endpoint is found as failing: %v", found)
	}
	awaitFound(t, c, "EventType = 'device.updated' AND BusbarEnvironment = 'sandbox'", acc.WorkflowID)
	checkPending(t, awaitPending(t, c, acc.WorkflowID))
	host := strings.TrimPrefix(failing.server.URL, "http://")
	if got, want := summaries(t, c, acc.WorkflowID), "POST to "+host+" ("+bad.ID+")"; !cmp.Equal(got, []string{want}) {
		t.Errorf("activity summaries = %q, want %q", got, want)
	}

	failing.behave(status(200))
	var id string
	for _, one := range d.deliveriesOf(t, "evt_seen") {
		if one.EndpointID == bad.ID {
			id = one.ID
		}
	}
	d.retry(t, delivery{ID: id})
	awaitWorkflow(t, d, acc.WorkflowID)
	awaitFound(t, c, temporal.FailingQuery(bad.ID))
}

// query returns the ids of the workflows that a query finds.
func query(t *testing.T, c client.Client, text string) []string {
	t.Helper()
	found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, Query: text})
	if err != nil {
		t.Fatalf("query %s: %v", text, err)
	}
	var ids []string
	for _, e := range found.GetExecutions() {
		ids = append(ids, e.GetExecution().GetWorkflowId())
	}
	return ids
}

// awaitFound returns when a query finds just the given workflows. Temporal writes what it searches a moment later.
func awaitFound(t *testing.T, c client.Client, text string, want ...string) {
	t.Helper()
	await(t, text, func() bool { return cmp.Equal(want, query(t, c, text)) })
}

// awaitPending returns the one pending activity of a workflow once it waits for its next try.
func awaitPending(t *testing.T, c client.Client, workflowID string) *workflow.PendingActivityInfo {
	t.Helper()
	var pending *workflow.PendingActivityInfo
	await(t, "the activity to wait for its next try", func() bool {
		desc, err := c.DescribeWorkflowExecution(t.Context(), workflowID, "")
		if err != nil {
			t.Fatalf("describe workflow: %v", err)
		}
		if n := len(desc.GetPendingActivities()); n != 1 {
			t.Fatalf("%d pending activities, want 1", n)
		}
		pending = desc.GetPendingActivities()[0]
		return pending.GetState() == enums.PENDING_ACTIVITY_STATE_SCHEDULED &&
			pending.GetLastFailure().GetApplicationFailureInfo().GetType() == "AttemptFailed"
	})
	return pending
}

func checkPending(t *testing.T, a *workflow.PendingActivityInfo) {
	t.Helper()
	if a.GetActivityType().GetName() != "Deliver" || a.GetAttempt() < 2 {
		t.Errorf("activity %s, attempt %d", a.GetActivityType().GetName(), a.GetAttempt())
	}
	reason := a.GetLastFailure().GetMessage()
	for _, part := range []string{"attempt 2", "503", "next try at "} {
		if !strings.Contains(reason, part) {
			t.Errorf("last failure %q does not say %q", reason, part)
		}
	}
	next := a.GetNextAttemptScheduleTime().AsTime()
	if wait := time.Until(next); wait < 50*time.Minute || wait > time.Hour {
		t.Errorf("next try in %s, want in an hour", wait)
	}
}

// summaries returns what the activities of a workflow say to people.
func summaries(t *testing.T, c client.Client, workflowID string) []string {
	t.Helper()
	var texts []string
	events := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatalf("read history: %v", err)
		}
		if e.GetEventType() != enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
			continue
		}
		var text string
		if err := converter.GetDefaultDataConverter().FromPayload(e.GetUserMetadata().GetSummary(), &text); err != nil {
			t.Fatalf("read summary: %v", err)
		}
		texts = append(texts, text)
	}
	return texts
}
