package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

func newEndpoint(s *opened, env busbar.Environment) *busbar.Endpoint {
	now := s.clock.now()
	return &busbar.Endpoint{
		ID: busbar.NewEndpointID(), Environment: env, URL: "https://example.com/hook", Description: "tests",
		EventTypes: []string{"push.*"}, Headers: map[string]string{"X-Token": "hush"}, PayloadFormat: busbar.Enveloped,
		RateLimit: 12.5, Filter: "data.level > 1", MaxInFlight: busbar.DefaultMaxInFlight, Timeout: 3 * time.Second, Signing: busbar.SigningHMAC, Enabled: true,
		CreatedAt: now, UpdatedAt: now,
	}
}

// newKey makes a key whose text is told apart by its name.
func newKey(s *opened, name string, kind busbar.KeyKind) busbar.SigningKey {
	return busbar.SigningKey{ID: "sk_" + name, Kind: kind, Secret: "whsec_" + name, CreatedAt: s.clock.now()}
}

func mustCreate(t *testing.T, s *opened, e *busbar.Endpoint, keys ...busbar.SigningKey) {
	t.Helper()
	err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateEndpoint(e, keys) })
	if err != nil {
		t.Fatalf("create endpoint: %v", err)
	}
}

func wantCode(t *testing.T, err error, code busbar.Code) {
	t.Helper()
	if err == nil || busbar.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s", err, code)
	}
}

func mustSubscribers(t *testing.T, s *store.Store, env busbar.Environment) *store.Subscribers {
	t.Helper()
	subs, err := s.Subscribers(t.Context(), env)
	if err != nil {
		t.Fatalf("read subscribers: %v", err)
	}
	return subs
}

func secrets(keys []busbar.SigningKey) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.Secret)
	}
	return strings.Join(all, " ")
}

func TestEndpointIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := newEndpoint(s, busbar.Sandbox)
		mustCreate(t, s, e, newKey(s, "a", busbar.KeyHMAC))
		got, err := s.Endpoint(t.Context(), busbar.Sandbox, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*e, got); diff != "" {
			t.Errorf("endpoint changed on its way (-written +read):\n%s", diff)
		}
		_, err = s.Endpoint(t.Context(), busbar.Live, e.ID)
		wantCode(t, err, busbar.CodeNotFound)
	})
}

func TestEndpointSavesReachOtherProcessesAtOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		other := s.reopen(t)
		if n := len(mustSubscribers(t, other, busbar.Sandbox).All); n != 0 {
			t.Fatalf("%d subscribers before any was created", n)
		}
		e := newEndpoint(s, busbar.Sandbox)
		mustCreate(t, s, e, newKey(s, "a", busbar.KeyHMAC))
		sub, ok := mustSubscribers(t, other, busbar.Sandbox).Get(e.ID)
		if !ok || secrets(sub.Keys) != "whsec_a" || sub.Headers["X-Token"] != "hush" {
			t.Fatalf("other process sees %+v, want the new endpoint with its key and header", sub)
		}
		if err := s.DisableEndpoint(t.Context(), busbar.Sandbox, e.ID, "410", false); err != nil {
			t.Fatal(err)
		}
		if sub, _ := mustSubscribers(t, other, busbar.Sandbox).Get(e.ID); sub.Enabled || sub.DisabledReason != "410" {
			t.Errorf("other process sees enabled %v, reason %q", sub.Enabled, sub.DisabledReason)
		}
		if err := s.DeleteEndpoint(t.Context(), busbar.Sandbox, e.ID); err != nil {
			t.Fatal(err)
		}
		if _, ok := mustSubscribers(t, other, busbar.Sandbox).Get(e.ID); ok {
			t.Error("other process still sees the deleted endpoint")
		}
	})
}

func TestUpdateEndpointKeepsIdentityAndAlignsKeys(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := newEndpoint(s, busbar.Live)
		mustCreate(t, s, e, newKey(s, "hmac", busbar.KeyHMAC))
		s.clock.advance(time.Minute)
		generate := func(kind busbar.KeyKind) (busbar.SigningKey, error) {
			if kind != busbar.KeyHMAC && kind != busbar.KeyEd25519 {
				return busbar.SigningKey{}, fmt.Errorf("asked for a key of kind %q", kind)
			}
			return newKey(s, "fresh_"+string(kind), kind), nil
		}
		update := func(signing busbar.Signing) busbar.Endpoint {
			t.Helper()
			got, err := s.UpdateEndpoint(t.Context(), busbar.Live, e.ID, func(e *busbar.Endpoint) error {
				e.ID, e.Signing, e.Headers = "ep_other", signing, nil
				return nil
			}, generate)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		want := *e
		want.Signing, want.Headers, want.UpdatedAt = busbar.SigningBoth, nil, s.clock.now()
		if diff := cmp.Diff(want, update(busbar.SigningBoth)); diff != "" {
			t.Errorf("updated endpoint (-want +got):\n%s", diff)
		}
		for _, step := range []struct {
			to   busbar.Signing
			keys string
		}{
			{busbar.SigningBoth, "whsec_hmac whsec_fresh_ed25519"},
			{busbar.SigningEd25519, "whsec_fresh_ed25519"},
			{busbar.SigningHMAC, "whsec_fresh_hmac"},
		} {
			update(step.to)
			keys, err := s.SigningKeys(t.Context(), busbar.Live, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got := secrets(keys); got != step.keys {
				t.Errorf("keys that sign %s: %q, want %q", step.to, got, step.keys)
			}
		}
		_, err := s.UpdateEndpoint(t.Context(), busbar.Sandbox, e.ID, func(*busbar.Endpoint) error { return nil }, generate)
		wantCode(t, err, busbar.CodeNotFound)
	})
}

// gorm would write seconds of its own clock into a field of this name.
func TestAChangedEndpointIsReadWithTheTimeOfItsChange(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := newEndpoint(s, busbar.Live)
		mustCreate(t, s, e, newKey(s, "a", busbar.KeyHMAC))
		s.clock.advance(time.Minute)
		want, err := s.UpdateEndpoint(t.Context(), busbar.Live, e.ID, func(*busbar.Endpoint) error { return nil }, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Endpoint(t.Context(), busbar.Live, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || !got.UpdatedAt.Equal(s.clock.now()) {
			t.Errorf("endpoint after a change (-answered +read):\n%s", diff)
		}
	})
}

func TestUpdateEndpointChangesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := newEndpoint(s, busbar.Live)
		mustCreate(t, s, e, newKey(s, "a", busbar.KeyHMAC))
		refused := errors.New("refused")
		for name, step := range map[string]struct{ change, generate error }{
			"change": {change: refused}, "generate": {generate: refused},
		} {
			_, err := s.UpdateEndpoint(t.Context(), busbar.Live, e.ID, func(e *busbar.Endpoint) error {
				e.URL, e.Signing = "https://elsewhere.example", busbar.SigningBoth
				return step.change
			}, func(busbar.KeyKind) (busbar.SigningKey, error) { return busbar.SigningKey{}, step.generate })
			if !errors.Is(err, refused) {
				t.Fatalf("%s: got %v", name, err)
			}
		}
		got, err := s.Endpoint(t.Context(), busbar.Live, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*e, got); diff != "" {
			t.Errorf("failed updates left traces:\n%s", diff)
		}
	})
}

func TestEndpointsAreLimited(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		err := once(t.Context(), s.Store, func(tx *store.Tx) error {
			for i := range busbar.MaxEndpoints {
				if err := tx.CreateEndpoint(newEndpoint(s, busbar.Sandbox), nil); err != nil {
					return fmt.Errorf("endpoint %d: %w", i, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		create := func(env busbar.Environment) error {
			return once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateEndpoint(newEndpoint(s, env), nil) })
		}
		wantCode(t, create(busbar.Sandbox), busbar.CodeConflict)
		if err := create(busbar.Live); err != nil {
			t.Errorf("the other environment is full too: %v", err)
		}
		seen := map[busbar.EndpointID]bool{}
		var last busbar.EndpointID
		req := busbar.PageRequest{Limit: 200}
		for range 3 {
			page, err := s.ListEndpoints(t.Context(), busbar.Sandbox, req)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Items {
				if last != "" && e.ID >= last {
					t.Fatalf("%s comes after %s: not newest first", e.ID, last)
				}
				seen[e.ID], last = true, e.ID
			}
			req.Cursor = page.NextCursor
		}
		if len(seen) != busbar.MaxEndpoints || req.Cursor != "" {
			t.Errorf("three pages gave %d endpoints, next cursor %q", len(seen), req.Cursor)
		}
	})
}

func TestRotatedKeysSignUntilTheOverlapEnds(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := newEndpoint(s, busbar.Live)
		mustCreate(t, s, e, newKey(s, "a", busbar.KeyHMAC))
		rotate := func(name string, overlap time.Duration) error {
			s.clock.advance(time.Second)
			return once(t.Context(), s.Store, func(tx *store.Tx) error {
				return tx.RotateKeys(busbar.Live, e.ID, overlap, []busbar.SigningKey{newKey(s, name, busbar.KeyHMAC)})
			})
		}
		want := func(names string) {
			t.Helper()
			keys, err := s.SigningKeys(t.Context(), busbar.Live, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(secrets(keys), "whsec_", ""); got != names {
				t.Errorf("keys that sign: %q, want %q", got, names)
			}
			sub, _ := mustSubscribers(t, s.Store, busbar.Live).Get(e.ID)
			if got := strings.ReplaceAll(secrets(sub.SigningKeys(s.clock.now())), "whsec_", ""); got != names {
				t.Errorf("keys that deliveries are signed with: %q, want %q", got, names)
			}
		}
		for _, r := range []struct {
			name    string
			overlap time.Duration
		}{{"b", time.Hour}, {"c", 24 * time.Hour}, {"d", 24 * time.Hour}, {"e", 24 * time.Hour}} {
			if err := rotate(r.name, r.overlap); err != nil {
				t.Fatal(err)
			}
		}
		want("a b c d e")
		wantCode(t, rotate("f", time.Hour), busbar.CodeConflict)
		want("a b c d e")
		s.clock.advance(time.Hour) // a's end was not moved by the rotations after it
		want("b c d e")
		if err := rotate("g", 0); err != nil {
			t.Fatal(err)
		}
		want("g")
		e.ID = "ep_none"
		wantCode(t, rotate("h", 0), busbar.CodeNotFound)
	})
}

func TestDeletingAnEndpointCancelsItsOpenDeliveries(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		gone, stays := newEndpoint(s, busbar.Live), newEndpoint(s, busbar.Live)
		mustCreate(t, s, gone, newKey(s, "a", busbar.KeyHMAC))
		mustCreate(t, s, stays, newKey(s, "b", busbar.KeyHMAC))
		const open = 501 // more than one batch
		var deliveries []busbar.Delivery
		for i := range open + 3 {
			d := newDelivery(s, stays.ID, busbar.DeliveryPending)
			if i > 0 {
				d.EndpointID = gone.ID
			}
			switch i {
			case 1:
				d.Status = busbar.DeliveryDelivered
			case 2:
				d.Status = busbar.DeliveryFailed
			case 3:
				d.Status = busbar.DeliveryParked
			}
			deliveries = append(deliveries, d)
		}
		insert(t, s, newEvent(s, "device.updated"), deliveries...)
		if err := s.DeleteEndpoint(t.Context(), busbar.Live, gone.ID); err != nil {
			t.Fatal(err)
		}
		counts := map[busbar.DeliveryStatus]int{}
		list, err := s.DeliveriesOfEvent(t.Context(), busbar.Live, deliveries[0].EventID)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			counts[d.Status]++
		}
		want := map[busbar.DeliveryStatus]int{
			busbar.DeliveryPending: 1, busbar.DeliveryDelivered: 1, busbar.DeliveryFailed: 1, busbar.DeliveryCancelled: open,
		}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("deliveries by status (-want +got):\n%s", diff)
		}
		wantCode(t, s.DeleteEndpoint(t.Context(), busbar.Live, gone.ID), busbar.CodeNotFound)
		if err := s.DisableEndpoint(t.Context(), busbar.Live, gone.ID, "late", false); err != nil {
			t.Errorf("disabling what is gone: %v", err)
		}
	})
}

func TestEventTypesAreTakenOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		custom := busbar.EventType{
			Environment: busbar.Live, Name: "battery.full", Description: "It is full.",
			Schema: json.RawMessage(`{"type":"object"}`), Example: json.RawMessage(`{}`), CreatedAt: s.clock.now(),
		}
		create := func(name string) error {
			c := custom
			c.Name = name
			return once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateEventType(&c) })
		}
		if err := create(custom.Name); err != nil {
			t.Fatal(err)
		}
		wantCode(t, create(custom.Name), busbar.CodeConflict)
		wantCode(t, create(busbar.TypeDeviceUpdated), busbar.CodeConflict)
		got, err := s.EventType(t.Context(), busbar.Live, custom.Name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(custom, got); diff != "" {
			t.Errorf("event type changed on its way:\n%s", diff)
		}
		_, err = s.EventType(t.Context(), busbar.Sandbox, custom.Name)
		wantCode(t, err, busbar.CodeNotFound)
		s.clock.advance(time.Second)
		if err := create("later.one"); err != nil {
			t.Fatal(err)
		}
		first, err := s.ListEventTypes(t.Context(), busbar.Live, busbar.PageRequest{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.ListEventTypes(t.Context(), busbar.Live, busbar.PageRequest{Limit: 1, Cursor: first.NextCursor})
		if err != nil {
			t.Fatal(err)
		}
		if first.Items[0].Name != "later.one" || second.Items[0].Name != custom.Name || second.NextCursor != "" {
			t.Errorf("pages: %q, %q, then %q", first.Items[0].Name, second.Items[0].Name, second.NextCursor)
		}
	})
}
