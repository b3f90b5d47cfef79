package workflows_test

import (
	"testing"
	"time"

	"busbar"
	"busbar/activities"
	"busbar/workflows"
)

func TestPurgeEndsWhenNothingOldIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s")
	old := make([]busbar.EventID, 0, 3)
	for range 3 {
		old = append(old, w.event().EventID)
	}
	w.env.SetStartTime(w.env.Now().Add(31 * 24 * time.Hour))
	fresh := w.event().EventID
	w.env.ExecuteWorkflow(workflows.PurgeName)
	must(t, w.env.GetWorkflowError())
	var purged activities.Purged
	must(t, w.env.GetWorkflowResult(&purged))
	if purged.Events != len(old) {
		t.Errorf("purged %d events, want %d", purged.Events, len(old))
	}
	for _, id := range old {
		if _, err := w.store.Event(t.Context(), busbar.Sandbox, id); busbar.CodeOf(err) != busbar.CodeNotFound {
			t.Errorf("an old event is still there: %v", err)
		}
	}
	if _, err := w.store.Event(t.Context(), busbar.Sandbox, fresh); err != nil {
		t.Errorf("a fresh event is gone: %v", err)
	}
}
