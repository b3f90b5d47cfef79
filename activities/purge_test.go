package activities_test

import (
	"testing"
	"time"

	"busbar"
	"busbar/activities"
	"busbar/internal/store"
)

func TestPurgeKeepsWhatTheEnvironmentKeepsForLonger(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, func(c *activities.Config) { must(t, c.Retention.UnmarshalText([]byte("sandbox=168h,live=2160h"))) })
	const each = 201 // more than a batch
	for _, env := range busbar.Environments() {
		accepted := make([]store.Accepted, each)
		for i := range accepted {
			e := busbar.Event{ID: busbar.NewEventID(), Environment: env, Type: "device.updated", Timestamp: w.now, ReceivedAt: w.now, Data: []byte(`{}`)}
			accepted[i] = store.Accepted{Event: e}
		}
		must(t, w.Decide(t.Context(), []busbar.Environment{env}, func(tx *store.DecisionTx) error { return tx.Insert(accepted) }))
	}
	for _, c := range []struct {
		age  time.Duration
		want int
	}{{167 * time.Hour, 0}, {2 * time.Hour, each}, {720 * time.Hour, 0}, {2160 * time.Hour, each}} {
		w.now = w.now.Add(c.age)
		value, err := w.env.ExecuteActivity(w.acts.Purge)
		must(t, err)
		var purged activities.Purged
		must(t, value.Get(&purged))
		if purged.Events != c.want {
			t.Errorf("%s later %d events are purged, want %d", c.age, purged.Events, c.want)
		}
	}
}
