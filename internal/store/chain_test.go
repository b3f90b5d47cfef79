package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
)

func names[T any, ID ~string](list []T, id func(*T) ID) []string {
	var all []string
	for i := range list {
		all = append(all, string(id(&list[i])))
	}
	return all
}

func TestAChainIsWhatFollowsFromOneEvent(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		device := mustDevice(t, s, newDevice(s, "dev_battery", site.ID))
		event := func(id busbar.EventID, c busbar.Causation) store.Accepted {
			s.clock.advance(time.Second)
			return store.Accepted{
				Event: busbar.Event{
					ID: id, Environment: busbar.Sandbox, Type: "device.updated", Timestamp: s.clock.now(), ReceivedAt: s.clock.now(),
					Data: json.RawMessage(`{}`), Causation: c,
				},
				Deliveries: []busbar.Delivery{{ID: busbar.DeliveryID("dlv_" + id), Environment: busbar.Sandbox, EventID: id, EndpointID: "ep_1", Status: busbar.DeliveryPending, CreatedAt: s.clock.now()}},
			}
		}
		run := func(id busbar.RunID, root busbar.EventID, decision string) busbar.Run {
			return busbar.Run{
				ID: id, Environment: busbar.Sandbox, RuleID: "rule_a", Key: "rule", Trigger: "event", EventID: root, RootID: root, Decision: decision,
				DecidedAt: s.clock.now(), Detail: json.RawMessage(`{}`),
			}
		}
		action := func(id busbar.ActionID, run string) *busbar.Action {
			s.clock.advance(time.Second)
			return &busbar.Action{
				ID: id, Environment: busbar.Sandbox, DeviceID: device.ID, Family: device.Family, SiteID: site.ID, Command: "idle",
				State: busbar.ActionCompleted, RunID: run, CreatedAt: s.clock.now(), UpdatedAt: s.clock.now(), CompletedAt: s.clock.now(),
			}
		}
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			err := storetest.Insert(tx,
				event("root", busbar.Causation{RootEventID: "root"}),
				event("done", busbar.Causation{RootEventID: "root", ParentID: "act_1", ActionID: "act_1", Depth: 1}),
				event("other", busbar.Causation{RootEventID: "other"}),
				event("windowed", busbar.Causation{RootEventID: "windowed", ParentID: "act_w", ActionID: "act_w", Depth: 1}),
			)
			if err != nil {
				return err
			}
			err = tx.InsertRuns([]busbar.Run{
				run("run_1", "root", "fired"), run("run_2", "root", "false"), run("run_3", "other", "fired"), run("run_w", "", "fired"),
			})
			if err != nil {
				return err
			}
			for _, a := range []*busbar.Action{action("act_1", "run_1"), action("act_3", "run_3"), action("act_w", "run_w"), action("act_p", "")} {
				if err := tx.InsertAction(a); err != nil {
					return err
				}
			}
			return nil
		})
		for from, want := range map[busbar.EventID]map[string][]string{
			"root":     {"events": {"root", "done"}, "runs": {"run_1"}, "actions": {"act_1"}, "deliveries": {"dlv_root", "dlv_done"}},
			"done":     {"events": {"root", "done"}, "runs": {"run_1"}, "actions": {"act_1"}, "deliveries": {"dlv_root", "dlv_done"}},
			"other":    {"events": {"other"}, "runs": {"run_3"}, "actions": {"act_3"}, "deliveries": {"dlv_other"}},
			"windowed": {"events": {"windowed"}, "runs": {"run_w"}, "actions": {"act_w"}, "deliveries": {"dlv_windowed"}},
		} {
			e, err := s.Event(t.Context(), busbar.Sandbox, from)
			if err != nil {
				t.Fatal(err)
			}
			chain, err := s.Chain(t.Context(), &e, 10)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{
				"events":     names(chain.Events, func(e *busbar.Event) busbar.EventID { return e.ID }),
				"runs":       names(chain.Runs, func(r *busbar.Run) busbar.RunID { return r.ID }),
				"actions":    names(chain.Actions, func(a *busbar.Action) busbar.ActionID { return a.ID }),
				"deliveries": names(chain.Deliveries, func(d *busbar.Delivery) busbar.DeliveryID { return d.ID }),
			}
			if diff := cmp.Diff(want, got); diff != "" || chain.Truncated {
				t.Errorf("chain of %s, truncated %v (-want +got):\n%s", from, chain.Truncated, diff)
			}
		}
	})
}

func TestALongChainIsCutAndSaysSo(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		var all []store.Accepted
		for i := range 8 {
			s.clock.advance(time.Second)
			id := busbar.EventID(fmt.Sprint("evt_", i))
			all = append(all, store.Accepted{Event: busbar.Event{
				ID: id, Environment: busbar.Sandbox, Type: "device.updated", Timestamp: s.clock.now(), ReceivedAt: s.clock.now(),
				Data: json.RawMessage(`{}`), Causation: busbar.Causation{RootEventID: "evt_0", Depth: min(i, 1)},
			}})
		}
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return storetest.Insert(tx, all...) })
		// The last one is not among the oldest, and is there all the same.
		chain, err := s.Chain(t.Context(), &all[7].Event, 3)
		if err != nil {
			t.Fatal(err)
		}
		got := names(chain.Events, func(e *busbar.Event) busbar.EventID { return e.ID })
		if diff := cmp.Diff([]string{"evt_0", "evt_7", "evt_1", "evt_2", "evt_3"}, got); diff != "" || !chain.Truncated {
			t.Errorf("events, truncated %v (-want +got):\n%s", chain.Truncated, diff)
		}
	})
}
