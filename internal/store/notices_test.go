package store_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// told is what people are told, as type and data.
func told(t *testing.T, s *opened) []string {
	t.Helper()
	notices, err := s.Notices(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, n := range notices {
		var data struct{ EndpointID, DeliveryID, Reason string }
		if err := json.Unmarshal(n.Data, &data); err != nil {
			t.Fatal(err)
		}
		if !n.ID.Derived() || n.About == "" || data.EndpointID != string(n.About) {
			t.Errorf("notice %+v has no derived id or no endpoint", n)
		}
		list = append(list, n.Type+" "+data.Reason)
		if err := s.ForgetNotice(t.Context(), n.ID); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(list)
	return list
}

func TestPeopleAreToldOnceThatAnEndpointFailsAndOnceThatItIsBack(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		list := pend(t, s, id, 4)
		attempted(t, s, list[0], 1, busbar.DeliveryPending, 500)
		if got := told(t, s); len(got) != 0 {
			t.Errorf("told %q at the first failure", got)
		}
		attempted(t, s, list[0], 2, busbar.DeliveryFailed, 500)
		want := []string{"delivery.exhausted ", "endpoint.failing HTTP 500"}
		if diff := cmp.Diff(want, told(t, s)); diff != "" {
			t.Errorf("told at the first exhausted delivery (-want +got):\n%s", diff)
		}
		again := finished(list[0].ID, 2, busbar.DeliveryFailed) // the same, once more
		again.Attempt.ErrorClass, again.Exhausted = "http_status", true
		if err := s.Finish(t.Context(), []*store.Finished{again}); err != nil {
			t.Fatal(err)
		}
		if got := told(t, s); len(got) != 0 {
			t.Errorf("told %q when an attempt was recorded again", got)
		}
		attempted(t, s, list[1], 1, busbar.DeliveryFailed, 503)
		if diff := cmp.Diff([]string{"delivery.exhausted "}, told(t, s)); diff != "" {
			t.Errorf("told at the second (-want +got):\n%s", diff)
		}
		attempted(t, s, list[2], 1, busbar.DeliveryDelivered, 204)
		if diff := cmp.Diff([]string{"endpoint.recovered HTTP 204"}, told(t, s)); diff != "" {
			t.Errorf("told at the first success (-want +got):\n%s", diff)
		}
		attempted(t, s, list[3], 1, busbar.DeliveryDelivered, 204)
		if got := told(t, s); len(got) != 0 {
			t.Errorf("told %q of a healthy endpoint", got)
		}
	})
}

func TestOperationalEventsCauseNone(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		s.SetCare(store.CarePolicy{DisableAfter: time.Hour, TellAfter: time.Minute})
		id := subscribe(t, s)
		d := accept(t, s, func(a *store.Accepted) {
			a.Deliveries[0].EndpointID, a.Event.Type, a.Deliveries[0].EventType = id, busbar.TypeEndpointFailing, busbar.TypeEndpointFailing
		}).Deliveries[0]
		attempted(t, s, d, 1, busbar.DeliveryPending, 500)
		s.clock.advance(2 * time.Hour)
		attempted(t, s, d, 2, busbar.DeliveryFailed, 500)
		if got := told(t, s); len(got) != 0 {
			t.Errorf("told %q about the delivery of an operational event", got)
		}
		if e, err := s.Endpoint(t.Context(), busbar.Sandbox, id); err != nil || e.Enabled {
			t.Errorf("enabled %v, %v; want disabled after an hour of failures", e.Enabled, err)
		}
	})
}

func TestAnEndpointThatFailsForTooLongIsDisabled(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		s.SetCare(store.CarePolicy{DisableAfter: 120 * time.Hour, TellAfter: 75 * time.Hour})
		id := subscribe(t, s)
		list := pend(t, s, id, 2)
		enabled := func() bool {
			e, err := s.Endpoint(t.Context(), busbar.Sandbox, id)
			if err != nil {
				t.Fatal(err)
			}
			return e.Enabled
		}
		attempted(t, s, list[0], 1, busbar.DeliveryPending, 500)
		s.clock.advance(119 * time.Hour)
		attempted(t, s, list[1], 1, busbar.DeliveryDelivered, 200)
		s.clock.advance(time.Hour)
		attempted(t, s, list[0], 2, busbar.DeliveryPending, 500)
		if !enabled() {
			t.Fatal("disabled though it succeeded in between")
		}
		told(t, s)
		s.clock.advance(75 * time.Hour)
		attempted(t, s, list[0], 3, busbar.DeliveryPending, 500)
		if diff := cmp.Diff([]string{"endpoint.failing HTTP 500"}, told(t, s)); diff != "" {
			t.Errorf("told when a delivery would have been exhausted (-want +got):\n%s", diff)
		}
		s.clock.advance(45 * time.Hour)
		attempted(t, s, list[0], 4, busbar.DeliveryPending, 500)
		if enabled() {
			t.Error("still enabled after 120 hours without a success")
		}
		want := []string{"endpoint.disabled no delivery succeeded for 120h0m0s: HTTP 500"}
		if diff := cmp.Diff(want, told(t, s)); diff != "" {
			t.Errorf("told when it was disabled (-want +got):\n%s", diff)
		}
	})
}
