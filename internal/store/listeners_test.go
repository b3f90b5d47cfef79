package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// newListener makes an endpoint that a program fetches for, with the key that made it.
func newListener(t *testing.T, s *opened) (busbar.Listener, busbar.APIKey) {
	t.Helper()
	key := busbar.APIKey{ID: busbar.NewKeyID(), Environment: busbar.Live}
	e := newEndpoint(s, busbar.Live)
	e.URL = busbar.ListenerURL(e.ID)
	l := busbar.Listener{
		EndpointID: e.ID, Environment: busbar.Live, APIKeyID: key.ID, CreatedAt: s.clock.now(), SeenAt: s.clock.now(),
	}
	err := once(t.Context(), s.Store, func(tx *store.Tx) error {
		if err := tx.CreateEndpoint(e, nil); err != nil {
			return err
		}
		return tx.CreateListener(l)
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, key
}

func newRequest(s *opened, l busbar.Listener, id string) busbar.ListenerRequest {
	return busbar.ListenerRequest{
		ID: id + "-1", EndpointID: l.EndpointID, DeliveryID: busbar.DeliveryID(id), ExpiresAt: s.clock.now().Add(15 * time.Second),
		Content: []byte("content of " + id),
	}
}

func offer(t *testing.T, s *opened, requests ...busbar.ListenerRequest) {
	t.Helper()
	for _, r := range requests {
		if err := s.OfferRequest(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(time.Millisecond)
	}
}

// given is which requests a program gets in another process.
func given(t *testing.T, s *store.Store, l busbar.Listener, limit int, holding ...string) []string {
	t.Helper()
	found, err := s.OpenRequests(t.Context(), l.EndpointID, holding, limit)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, r := range found {
		ids = append(ids, r.ID)
		if want := "content of " + string(r.DeliveryID); string(r.Content) != want {
			t.Errorf("content of %s is %q", r.ID, r.Content)
		}
	}
	return ids
}

func TestListenersBelongToTheirKey(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		l, key := newListener(t, s)
		got, err := s.Listener(t.Context(), key, l.EndpointID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l, got); diff != "" {
			t.Errorf("listener (-written +read):\n%s", diff)
		}
		other := key
		other.ID = busbar.NewKeyID()
		_, err = s.Listener(t.Context(), other, l.EndpointID)
		wantCode(t, err, busbar.CodeNotFound)
		other = key
		other.Environment = busbar.Sandbox
		_, err = s.Listener(t.Context(), other, l.EndpointID)
		wantCode(t, err, busbar.CodeNotFound)
	})
}

func TestRequestsReachAListenerInAnotherProcess(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		other := s.reopen(t)
		l, _ := newListener(t, s)
		offer(t, s, newRequest(s, l, "dlv_a"), newRequest(s, l, "dlv_b"), newRequest(s, l, "dlv_c"))
		for _, c := range []struct {
			limit         int
			holding, want []string
		}{
			{10, nil, []string{"dlv_a-1", "dlv_b-1", "dlv_c-1"}},
			{2, nil, []string{"dlv_a-1", "dlv_b-1"}},
			{10, []string{"dlv_a-1", "dlv_c-1"}, []string{"dlv_b-1"}},
		} {
			if diff := cmp.Diff(c.want, given(t, other, l, c.limit, c.holding...)); diff != "" {
				t.Errorf("limit %d, holding %q (-want +got):\n%s", c.limit, c.holding, diff)
			}
		}
		if text, err := s.RequestAnswer(t.Context(), "dlv_b-1"); err != nil || text != nil {
			t.Errorf("before the answer: %q, %v", text, err)
		}
		answer := func(text string) error {
			return other.AnswerRequest(t.Context(), l.EndpointID, "dlv_b-1", []byte(text))
		}
		if err := answer("first"); err != nil {
			t.Fatal(err)
		}
		if err := answer("second"); err != nil {
			t.Errorf("an answer that comes twice: %v", err)
		}
		if text, err := s.RequestAnswer(t.Context(), "dlv_b-1"); err != nil || string(text) != "first" {
			t.Errorf("the answer is %q, %v", text, err)
		}
		wantCode(t, other.AnswerRequest(t.Context(), "ep_other", "dlv_a-1", []byte("x")), busbar.CodeNotFound)
		// A later attempt of a delivery takes the place of the earlier one.
		again := newRequest(s, l, "dlv_a")
		again.ID = "dlv_a-2"
		offer(t, s, again)
		if diff := cmp.Diff([]string{"dlv_c-1", "dlv_a-2"}, given(t, other, l, 10)); diff != "" {
			t.Errorf("after an answer and a second attempt (-want +got):\n%s", diff)
		}
		if err := s.DropRequest(t.Context(), "dlv_c-1"); err != nil {
			t.Fatal(err)
		}
		_, err := s.RequestAnswer(t.Context(), "dlv_c-1")
		wantCode(t, err, busbar.CodeNotFound)
		s.clock.advance(15 * time.Second)
		if got := given(t, other, l, 10); len(got) != 0 {
			t.Errorf("after their time %q are open", got)
		}
		wantCode(t, other.AnswerRequest(t.Context(), l.EndpointID, "dlv_a-2", []byte("late")), busbar.CodeNotFound)
		if err := s.DropExpiredRequests(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = s.RequestAnswer(t.Context(), "dlv_a-2")
		wantCode(t, err, busbar.CodeNotFound)
	})
}

func TestListenersGoWithTheirEndpoint(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		stays, _ := newListener(t, s)
		gone, key := newListener(t, s)
		offer(t, s, newRequest(s, gone, "dlv_a"))
		before := s.clock.now()
		s.clock.advance(time.Minute)
		if err := s.SeeListener(t.Context(), stays.EndpointID); err != nil {
			t.Fatal(err)
		}
		found, err := s.GoneListeners(t.Context(), before.Add(time.Second), 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]busbar.Listener{gone}, found); diff != "" {
			t.Errorf("listeners that are gone (-want +got):\n%s", diff)
		}
		if err := s.DeleteEndpoint(t.Context(), busbar.Live, gone.EndpointID); err != nil {
			t.Fatal(err)
		}
		_, err = s.Listener(t.Context(), key, gone.EndpointID)
		wantCode(t, err, busbar.CodeNotFound)
		_, err = s.RequestAnswer(t.Context(), "dlv_a-1")
		wantCode(t, err, busbar.CodeNotFound)
		wantCode(t, s.OfferRequest(t.Context(), newRequest(s, gone, "dlv_b")), busbar.CodeNotFound)
	})
}

func TestDeliveriesThatFailedForAReasonAreFound(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		l, _ := newListener(t, s)
		fail := func(class string, status busbar.DeliveryStatus) busbar.DeliveryID {
			d := newDelivery(s, l.EndpointID, busbar.DeliveryPending)
			insert(t, s, newEvent(s, "device.updated"), d)
			// An attempt before the last one does not count.
			for number, class := range []string{"listener_away", class} {
				err := s.Finish(t.Context(), []*store.Finished{{Status: status, NextAttemptAt: s.clock.now().Add(time.Hour), Attempt: busbar.Attempt{
					DeliveryID: d.ID, Number: number + 1, At: s.clock.now(), ErrorClass: class,
				}}})
				if err != nil {
					t.Fatal(err)
				}
			}
			return d.ID
		}
		first, second := fail("listener_away", busbar.DeliveryPending), fail("listener_away", busbar.DeliveryPending)
		fail("http_status", busbar.DeliveryPending)
		fail("listener_away", busbar.DeliveryFailed)
		want := func(ids ...busbar.DeliveryID) {
			t.Helper()
			got, err := s.FailedFor(t.Context(), l.EndpointID, "listener_away", 10)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ids, got); diff != "" {
				t.Errorf("failed deliveries (-want +got):\n%s", diff)
			}
		}
		want(first, second)
		_, _, err := s.RequestRetry(t.Context(), busbar.Live, first, func(busbar.Delivery) string { return "redeliver" })
		if err != nil {
			t.Fatal(err)
		}
		want(second)
	})
}
