package store_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
)

func newEvent(s *opened, eventType string) busbar.Event {
	id := busbar.NewEventID()
	return busbar.Event{
		ID: id, Environment: busbar.Live, Type: eventType, DeviceID: "dev_1", SiteID: "site_1",
		Timestamp: s.clock.now().Add(-time.Second), ReceivedAt: s.clock.now(), Data: json.RawMessage(`{"level":1}`),
		Flags:     []busbar.EventFlag{busbar.FlagUnknownDevice, busbar.FlagTimestampClamped},
		Causation: busbar.Causation{RootEventID: id},
	}
}

func newDelivery(s *opened, endpoint busbar.EndpointID, status busbar.DeliveryStatus) busbar.Delivery {
	return busbar.Delivery{
		ID: busbar.NewDeliveryID(), Environment: busbar.Live, EndpointID: endpoint, Status: status, CreatedAt: s.clock.now(),
	}
}

// insert accepts an event with deliveries.
func insert(t *testing.T, s *opened, e busbar.Event, deliveries ...busbar.Delivery) {
	t.Helper()
	for i := range deliveries {
		deliveries[i].EventID, deliveries[i].EventType, deliveries[i].WorkflowID = e.ID, e.Type, e.WorkflowID()
	}
	err := s.Decide(t.Context(), []busbar.Environment{e.Environment}, func(tx *store.DecisionTx) error {
		return storetest.Insert(tx, store.Accepted{Event: e, Deliveries: deliveries})
	})
	if err != nil {
		t.Fatalf("insert event: %v", err)
	}
}

func TestEventsAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		names := map[busbar.EventID]string{}
		add := func(name, eventType string, change func(*busbar.Event)) {
			s.clock.advance(time.Minute)
			e := newEvent(s, eventType)
			if change != nil {
				change(&e)
			}
			names[e.ID] = name
			insert(t, s, e)
		}
		start := s.clock.now()
		add("1", "push.completed", nil)
		add("2", "push_failed", func(e *busbar.Event) { e.DeviceID = "dev_2" })
		add("3", "PUSH.completed", func(e *busbar.Event) { e.SiteID = "" })
		add("4", "push.failed", nil)
		add("other", "push.failed", func(e *busbar.Event) { e.Environment = busbar.Sandbox })
		for name, tc := range map[string]struct {
			filter store.EventFilter
			want   string
		}{
			"all":          {store.EventFilter{}, "4 3 2 1"},
			"star":         {store.EventFilter{Type: "*"}, "4 3 2 1"},
			"name":         {store.EventFilter{Type: "push.failed"}, "4"},
			"prefix":       {store.EventFilter{Type: "push.*"}, "4 1"},
			"underscore":   {store.EventFilter{Type: "push_*"}, "2"},
			"device":       {store.EventFilter{DeviceID: "dev_2"}, "2"},
			"site":         {store.EventFilter{SiteID: "site_1"}, "4 2 1"},
			"since, until": {store.EventFilter{Since: start.Add(2 * time.Minute), Until: start.Add(4 * time.Minute)}, "3 2"},
			"both":         {store.EventFilter{Type: "push.*", DeviceID: "dev_1"}, "4 1"},
			"prefix, site": {store.EventFilter{Type: "push*", SiteID: "site_1", Since: start.Add(2 * time.Minute)}, "4 2"},
			"none":         {store.EventFilter{Type: "push"}, ""},
		} {
			var got []string
			req := busbar.PageRequest{Limit: 2}
			for {
				page, err := s.Events(t.Context(), busbar.Live, tc.filter, req)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if page.Items == nil {
					t.Errorf("%s: items are nil", name)
				}
				for _, e := range page.Items {
					got = append(got, names[e.ID])
				}
				if page.NextCursor == "" {
					break
				}
				req.Cursor = page.NextCursor
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		for _, pattern := range []string{"*.failed", "push.*.x", "**"} {
			_, err := s.Events(t.Context(), busbar.Live, store.EventFilter{Type: pattern}, busbar.PageRequest{Limit: 1})
			wantCode(t, err, busbar.CodeValidationFailed)
		}
		_, err := s.Events(t.Context(), busbar.Live, store.EventFilter{}, busbar.PageRequest{Limit: 1, Cursor: "?"})
		wantCode(t, err, busbar.CodeValidationFailed)
	})
}

func TestEventIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := newEvent(s, "device.updated")
		e.Causation = busbar.Causation{RootEventID: "evt_root", ParentID: "act_1", Depth: 2, Inferred: true}
		insert(t, s, e)
		got, err := s.Event(t.Context(), busbar.Live, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Errorf("event changed on its way:\n%s", diff)
		}
		_, err = s.Event(t.Context(), busbar.Sandbox, e.ID)
		wantCode(t, err, busbar.CodeNotFound)
	})
}

func TestDeliveriesAreFilteredAndKeepTheirAttempts(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e1, e2 := newEvent(s, "push.failed"), newEvent(s, "device.updated")
		start := s.clock.now()
		a := newDelivery(s, "ep_1", busbar.DeliveryPending)
		b := newDelivery(s, "ep_2", busbar.DeliveryDelivered)
		insert(t, s, e1, a, b)
		s.clock.advance(time.Minute)
		c := newDelivery(s, "ep_1", busbar.DeliveryFailed)
		insert(t, s, e2, c)
		names := map[busbar.DeliveryID]string{a.ID: "a", b.ID: "b", c.ID: "c"}
		for name, tc := range map[string]struct {
			filter store.DeliveryFilter
			want   string
		}{
			"all":       {store.DeliveryFilter{}, "c b a"},
			"endpoint":  {store.DeliveryFilter{EndpointID: "ep_1"}, "c a"},
			"event":     {store.DeliveryFilter{EventID: e1.ID}, "b a"},
			"pending":   {store.DeliveryFilter{Status: busbar.DeliveryPending}, "a"},
			"delivered": {store.DeliveryFilter{Status: busbar.DeliveryDelivered}, "b"},
			"type":      {store.DeliveryFilter{Type: "push.*"}, "b a"},
			"one type":  {store.DeliveryFilter{Type: "push.failed"}, "b a"},
			"no type":   {store.DeliveryFilter{Type: "pull.*"}, ""},
			"narrow":    {store.DeliveryFilter{Type: "push.*", EndpointID: "ep_1", Status: busbar.DeliveryPending, Until: start.Add(time.Second)}, "a"},
			"too late":  {store.DeliveryFilter{Type: "push.*", Since: start.Add(time.Second)}, ""},
			"since":     {store.DeliveryFilter{Since: start.Add(time.Second)}, "c"},
			"until":     {store.DeliveryFilter{Until: start.Add(time.Second)}, "b a"},
		} {
			page, err := s.Deliveries(t.Context(), busbar.Live, tc.filter, busbar.PageRequest{Limit: 10})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var got []string
			for _, d := range page.Items {
				got = append(got, names[d.ID])
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		attempt := busbar.Attempt{
			DeliveryID: a.ID, Number: 1, At: s.clock.now(), Duration: 12 * time.Millisecond,
			Timing: busbar.Timing{DNS: time.Millisecond, Total: 12 * time.Millisecond}, StatusCode: 500, ErrorClass: "status",
			Error: "HTTP 500", RequestHeaders: map[string][]string{"X": {"y"}}, ResponseHeaders: map[string][]string{"Z": {"1", "2"}},
			ResponseBody: "sorry", Truncated: true, NextAttemptAt: s.clock.now().Add(time.Minute),
		}
		finished := &store.Finished{Attempt: attempt, Status: busbar.DeliveryPending, Step: 1, NextAttemptAt: attempt.NextAttemptAt}
		if err := s.Finish(t.Context(), []*store.Finished{finished}); err != nil {
			t.Fatal(err)
		}
		attempts, err := s.Attempts(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]busbar.Attempt{attempt}, attempts); diff != "" {
			t.Errorf("attempts (-written +read):\n%s", diff)
		}
		got, err := s.Delivery(t.Context(), busbar.Live, a.ID)
		if err != nil || got.Attempts != 1 || got.LastStatusCode != 500 {
			t.Errorf("delivery after an attempt: %+v, %v", got, err)
		}
		_, err = s.Delivery(t.Context(), busbar.Sandbox, a.ID)
		wantCode(t, err, busbar.CodeNotFound)
	})
}

// What is rare is read by its type, what is frequent along the list: both give the same.
func TestFrequentTypesAreListedAsRareOnesAre(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		const many = 2001 // one more than is rare
		batch := make([]store.Accepted, 0, many+1)
		for i := range many {
			e := newEvent(s, "device.updated")
			if i == many/2 {
				e.Type = "device.connected"
			}
			d := newDelivery(s, "ep_1", busbar.DeliveryDelivered)
			d.EventID, d.EventType, d.WorkflowID = e.ID, e.Type, e.WorkflowID()
			batch = append(batch, store.Accepted{Event: e, Deliveries: []busbar.Delivery{d}})
			s.clock.advance(time.Second)
		}
		for part := range slices.Chunk(batch, 100) {
			err := s.Decide(t.Context(), []busbar.Environment{busbar.Live}, func(tx *store.DecisionTx) error { return storetest.Insert(tx, part...) })
			if err != nil {
				t.Fatal(err)
			}
		}
		for pattern, want := range map[string]int{"device.*": 200, "device.updated": 200, "device.c*": 1, "device.connected": 1, "push.*": 0} {
			events, err := s.Events(t.Context(), busbar.Live, store.EventFilter{Type: pattern}, busbar.PageRequest{Limit: 200})
			if err != nil || len(events.Items) != want {
				t.Errorf("%s: %d events, %v", pattern, len(events.Items), err)
			}
			deliveries, err := s.Deliveries(t.Context(), busbar.Live, store.DeliveryFilter{Type: pattern}, busbar.PageRequest{Limit: 200})
			if err != nil || len(deliveries.Items) != want {
				t.Errorf("%s: %d deliveries, %v", pattern, len(deliveries.Items), err)
			}
			if want > 1 && (events.Items[0].ID != batch[many-1].Event.ID || deliveries.Items[0].EventID != batch[many-1].Event.ID) {
				t.Errorf("%s: the newest is not first", pattern)
			}
		}
	})
}
