package intake_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/internal/storetest"
)

// eachDatabase runs a test on both databases. Opening again is another process.
func eachDatabase(t *testing.T, test func(t *testing.T, open func() *store.Store)) {
	t.Helper()
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "" },
		"postgres": func() string { return storetest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := opener(t, url())
			test(t, func() *store.Store {
				s := open()
				t.Cleanup(func() { must(t, s.Close()) })
				return s
			})
		})
	}
}

// home has one battery.
func home(t testing.TB, s *store.Store, devices ...busbar.Device) {
	t.Helper()
	_, err := s.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		err := tx.CreateSite(&busbar.Site{ID: "site_home", Environment: busbar.Sandbox, Name: "Home", Timezone: "Europe/Berlin"})
		if err != nil {
			return store.Answer{}, err
		}
		for _, d := range devices {
			d.Environment, d.SiteID, d.Commands = busbar.Sandbox, "site_home", d.Family.Spec().DefaultCommands()
			d.Driver, d.Connection = busbar.Driver{Kind: busbar.DriverManual}, busbar.Disconnected
			if d.StaleAfter == 0 {
				d.StaleAfter = busbar.DefaultStaleAfter
			}
			if err := tx.CreateDevice(&d); err != nil {
				return store.Answer{}, err
			}
		}
		return store.Answer{}, nil
	})
	must(t, err)
}

func battery() busbar.Device { return busbar.Device{ID: "dev_battery", Family: busbar.Battery} }

func read(t *testing.T, p *process, readings ...intake.Reading) []intake.ReadingOutcome {
	t.Helper()
	out, err := p.Read(t.Context(), busbar.Sandbox, readings)
	must(t, err)
	return out
}

func level(at time.Time, v any) intake.Reading {
	return intake.Reading{DeviceID: "dev_battery", ObservedAt: at, State: map[string]any{"level": v}}
}

func statuses(out []intake.ReadingOutcome) []string {
	list := make([]string, len(out))
	for i, o := range out {
		list[i] = string(o.Status)
		if o.Err != nil {
			list[i] = string(o.Err.Code)
		}
	}
	return list
}

func TestOnlyAChangeOfARoundedValueIsNews(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		home(t, s, battery())
		p := start(t, s, newCluster(), nil)
		defer p.close()
		at := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
		out := read(t, p,
			level(at, 98.0), level(at.Add(time.Second), 98.04), level(at.Add(2*time.Second), 98.06), level(at.Add(2*time.Second), 98.06),
			level(at.Add(time.Second), 12.0), level(at.Add(3*time.Second), nil),
			level(at, "full"), level(at, 101.0), intake.Reading{DeviceID: "dev_battery", State: map[string]any{"lvl": 1.0}},
			intake.Reading{DeviceID: "nobody", State: map[string]any{"level": 1.0}},
		)
		want := []string{"updated", "unchanged", "updated", "unchanged", "late", "updated", "VALIDATION_FAILED", "VALIDATION_FAILED", "UNKNOWN_FIELD", "DEVICE_NOT_FOUND"}
		if diff := cmp.Diff(want, statuses(out)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		e, err := s.Event(t.Context(), busbar.Sandbox, out[2].EventID)
		must(t, err)
		wantData := fmt.Sprintf(`{"deviceId":"dev_battery","deviceType":"battery","timestamp":%q,"changed":["level"],"state":{"level":98.1},"previous":{"level":98}}`,
			at.Add(2*time.Second).Format("2006-01-02T15:04:05.000Z"))
		if string(e.Data) != wantData {
			t.Errorf("data\n%s, want\n%s", e.Data, wantData)
		}
		if e.SiteID != "site_home" || e.Type != busbar.TypeDeviceUpdated || !e.Timestamp.Equal(at.Add(2*time.Second)) {
			t.Errorf("event = %+v", e)
		}
		history, err := s.History(t.Context(), busbar.Sandbox, "dev_battery", "level", time.Time{}, time.Time{}, busbar.PageRequest{Limit: 10})
		must(t, err)
		late := 0
		for _, point := range history.Items {
			if point.Late {
				late++
			}
		}
		if late != 1 || len(history.Items) != 5 {
			t.Errorf("history = %+v", history.Items)
		}
		d, err := s.Device(t.Context(), busbar.Sandbox, "dev_battery")
		must(t, err)
		if d.State["level"] != nil || !d.StateAt.Equal(at.Add(3*time.Second)) || !d.Synced() || d.CheckAt.IsZero() {
			t.Errorf("device = %+v", d)
		}
	})
}

func TestEventsOfASiteHaveOneOrder(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		first, second := open(), open()
		home(t, first, battery(), busbar.Device{ID: "dev_meter", Family: busbar.Meter})
		c := newCluster()
		processes := []*process{start(t, first, c, nil), start(t, second, c, nil)}
		if first.Embedded() {
			processes = processes[:1]
		}
		const rounds = 40
		var wg sync.WaitGroup
		for n, p := range processes {
			for _, device := range []busbar.DeviceID{"dev_battery", "dev_meter"} {
				wg.Go(func() {
					for i := range rounds {
						state := map[string]any{"level": float64(2*i+n) / 2}
						if device == "dev_meter" {
							state = map[string]any{"importPower": float64(2*i+n) + 0.5}
						}
						if _, err := p.Read(context.WithoutCancel(t.Context()), busbar.Sandbox, []intake.Reading{{DeviceID: device, State: state}}); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		for _, p := range processes {
			p.close()
		}
		site, err := first.Site(t.Context(), busbar.Sandbox, "site_home")
		must(t, err)
		var seqs []int64
		previous := map[busbar.DeviceID]string{}
		var events []busbar.Event
		req := busbar.PageRequest{Limit: 200}
		for {
			page, err := first.Events(t.Context(), busbar.Sandbox, store.EventFilter{SiteID: "site_home"}, req)
			must(t, err)
			events = append(events, page.Items...)
			if req.Cursor = page.NextCursor; req.Cursor == "" {
				break
			}
		}
		bySeq := make(map[int64]busbar.Event, len(events))
		for _, e := range events {
			if _, twice := bySeq[e.Seq]; twice || e.Seq == 0 || e.Seq > site.Seq {
				t.Fatalf("number %d of %s, the site is at %d", e.Seq, e.ID, site.Seq)
			}
			bySeq[e.Seq] = e
			seqs = append(seqs, e.Seq)
		}
		// In the order of the numbers, each event begins where the one before it of its device ended.
		for seq := int64(0); seq <= site.Seq; seq++ {
			e, ok := bySeq[seq]
			if !ok {
				continue
			}
			var data struct{ State, Previous json.RawMessage }
			must(t, json.Unmarshal(e.Data, &data))
			if was, ok := previous[e.DeviceID]; ok && was != string(data.Previous) {
				t.Fatalf("event %d of %s begins at %s, the one before ended at %s", seq, e.DeviceID, data.Previous, was)
			}
			previous[e.DeviceID] = string(data.State)
		}
		if len(seqs) < rounds {
			t.Errorf("only %d events", len(seqs))
		}
	})
}

func TestConnectionEventsOnChangeOnly(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		home(t, s, battery())
		p := start(t, s, newCluster(), nil)
		defer p.close()
		var got []string
		for _, status := range []busbar.Connection{
			busbar.Disconnected, busbar.Connected, busbar.Connected, busbar.Disconnected, busbar.Disconnected, busbar.Connected,
		} {
			out, err := p.Connect(t.Context(), busbar.Sandbox, intake.ConnectionReport{
				DeviceID: "dev_battery", Status: status, Reason: "tests", ReconnectionURL: "https://example.com/again",
			})
			must(t, err)
			if !out.Changed {
				got = append(got, "-")
				continue
			}
			e, err := s.Event(t.Context(), busbar.Sandbox, out.EventID)
			must(t, err)
			var data map[string]any
			must(t, json.Unmarshal(e.Data, &data))
			if (data["reason"] == "tests") != (e.Type == busbar.TypeDeviceDisconnected) {
				t.Errorf("%s has data %s", e.Type, e.Data)
			}
			got = append(got, e.Type)
		}
		want := []string{"-", busbar.TypeDeviceConnected, "-", busbar.TypeDeviceDisconnected, "-", busbar.TypeDeviceReconnected}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		_, err := p.Connect(t.Context(), busbar.Sandbox, intake.ConnectionReport{DeviceID: "nobody", Status: busbar.Connected})
		if busbar.CodeOf(err) != busbar.CodeDeviceNotFound {
			t.Errorf("connection of an unknown device = %v", err)
		}
	})
}

func TestASilentDeviceIsNewsOnceAndWhenItIsBack(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		silent := battery()
		silent.StaleAfter = time.Millisecond
		home(t, s, silent)
		p := start(t, s, newCluster(), nil)
		defer p.close()
		watch := intake.NewWatch(p.Intake, s, nil)
		must(t, watch.Round(t.Context()))
		read(t, p, level(time.Time{}, 50.0))
		synced := func() []bool {
			t.Helper()
			page, err := s.Events(t.Context(), busbar.Sandbox, store.EventFilter{Type: busbar.TypeDeviceUpdated}, busbar.PageRequest{Limit: 10})
			must(t, err)
			var seen []bool
			for _, e := range page.Items {
				var data struct {
					Changed []string
					Sync    *struct{ Available bool }
				}
				must(t, json.Unmarshal(e.Data, &data))
				if data.Sync != nil {
					if diff := cmp.Diff([]string{"sync"}, data.Changed); diff != "" {
						t.Errorf("changed (-want +got):\n%s", diff)
					}
					seen = append(seen, data.Sync.Available)
				}
			}
			return seen
		}
		for deadline := time.Now().Add(20 * time.Second); len(synced()) == 0; {
			must(t, watch.Round(t.Context()))
			if time.Now().After(deadline) {
				t.Fatal("its silence was never noticed")
			}
		}
		must(t, watch.Round(t.Context()))
		if diff := cmp.Diff([]bool{false}, synced()); diff != "" {
			t.Errorf("after its silence (-want +got):\n%s", diff)
		}
		if out := read(t, p, level(time.Time{}, 60.0)); out[0].Status != intake.ReadingUpdated {
			t.Errorf("the reading that ends a silence is %s", out[0].Status)
		}
		if diff := cmp.Diff([]bool{true, false}, synced()); diff != "" {
			t.Errorf("back again (-want +got):\n%s", diff)
		}
	})
}

func TestAProducersEventActsOnItsDevice(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	home(t, s, battery())
	p := start(t, s, newCluster(), nil)
	defer p.close()
	at := time.Now().UTC().Truncate(time.Millisecond)
	offer := func(kind, data string, at time.Time) intake.Candidate {
		return intake.Candidate{Event: busbar.Event{Type: kind, DeviceID: "dev_battery", Timestamp: at, Data: json.RawMessage(data)}}
	}
	out := accept(t, p, nil,
		offer(busbar.TypeDeviceConnected, `{}`, at), offer(busbar.TypeDeviceUpdated, `{"state":{"level":40.04}}`, at),
		offer(busbar.TypeDeviceUpdated, `{"state":{"level":10}}`, at.Add(-time.Minute)), offer(busbar.TypeDeviceUpdated, `{"state":{"lvl":10}}`, at),
		offer("custom.note", `{}`, at),
	)
	if out[3].Err == nil || out[3].Err.Code != busbar.CodeUnknownField {
		t.Errorf("an unknown field = %+v, want UNKNOWN_FIELD", out[3])
	}
	late, err := s.Event(t.Context(), busbar.Sandbox, out[2].EventID)
	must(t, err)
	if diff := cmp.Diff([]busbar.EventFlag{busbar.FlagLate}, late.Flags); diff != "" {
		t.Errorf("flags of a late state (-want +got):\n%s", diff)
	}
	note, err := s.Event(t.Context(), busbar.Sandbox, out[4].EventID)
	must(t, err)
	if note.SiteID != "site_home" || note.Seq == 0 || len(note.Flags) != 0 {
		t.Errorf("event of a registered device = %+v", note)
	}
	d, err := s.Device(t.Context(), busbar.Sandbox, "dev_battery")
	must(t, err)
	if d.Connection != busbar.Connected || d.State["level"] != 40.04 || d.Announced["level"] != 40.0 {
		t.Errorf("device = %+v", d)
	}
	var told struct {
		DeviceID, DeviceType string
		Changed              []string
		State, Previous      busbar.State
	}
	change, err := s.Event(t.Context(), busbar.Sandbox, out[1].EventID)
	must(t, err)
	must(t, json.Unmarshal(change.Data, &told))
	if told.DeviceID != "dev_battery" || told.DeviceType != "battery" || told.State["level"] != 40.0 || len(told.Changed) != 1 || told.Previous == nil {
		t.Errorf("subscribers are told %s", change.Data)
	}
	gone := accept(t, p, nil, offer(busbar.TypeDeviceDisconnected, `{"reason":"tests"}`, at.Add(-time.Minute)))
	old, err := s.Event(t.Context(), busbar.Sandbox, gone[0].EventID)
	must(t, err)
	if diff := cmp.Diff([]busbar.EventFlag{busbar.FlagLate}, old.Flags); diff != "" {
		t.Errorf("flags of a connection that is known better (-want +got):\n%s", diff)
	}
	// What it said is not news a second time.
	if out := read(t, p, level(at, 40.01)); out[0].Status != intake.ReadingUnchanged {
		t.Errorf("the same state as a reading is %s", out[0].Status)
	}
}

func TestAChangeSoonAfterACommandIsItsEcho(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	home(t, s, battery())
	p := start(t, s, newCluster(), nil)
	defer p.close()
	at := time.Now().UTC().Add(-10 * time.Minute).Truncate(time.Millisecond)
	ref := store.DeviceRef{Environment: busbar.Sandbox, ID: "dev_battery"}
	must(t, s.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
		homes, err := tx.Homes([]store.DeviceRef{ref}, nil, false)
		if err != nil {
			return err
		}
		homes.Devices[ref].Echo = &busbar.Echo{
			ActionID: "act_1", Command: "charge", At: at,
			Causation: busbar.Causation{RootEventID: "evt_root", ParentID: "run_1", RuleID: "rule_1", ActionID: "act_1", Depth: 2},
		}
		return tx.SaveDevices([]*busbar.Device{homes.Devices[ref]})
	}))
	for _, tc := range []struct {
		name     string
		state    map[string]any
		at       time.Time
		inferred bool
	}{
		{"what the command affects", map[string]any{"status": "charging"}, at.Add(time.Second), true},
		{"something else", map[string]any{"temperature": 30.0}, at.Add(2 * time.Second), false},
		{"at the end of the time", map[string]any{"status": "idle"}, at.Add(busbar.EchoWindow), true},
		{"too late", map[string]any{"status": "standby"}, at.Add(busbar.EchoWindow + time.Millisecond), false},
	} {
		out := read(t, p, intake.Reading{DeviceID: "dev_battery", ObservedAt: tc.at, State: tc.state})
		e, err := s.Event(t.Context(), busbar.Sandbox, out[0].EventID)
		must(t, err)
		want := busbar.Causation{RootEventID: e.ID}
		if tc.inferred {
			want = busbar.Causation{RootEventID: "evt_root", ParentID: "act_1", RuleID: "rule_1", ActionID: "act_1", Depth: 2, Inferred: true}
		}
		if diff := cmp.Diff(want, e.Causation); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestTheRootOfAnEchoIsTheEventWhenNothingElseIs(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	home(t, s, battery())
	p := start(t, s, newCluster(), nil)
	defer p.close()
	at := time.Now().UTC().Truncate(time.Millisecond)
	ref := store.DeviceRef{Environment: busbar.Sandbox, ID: "dev_battery"}
	must(t, s.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
		homes, err := tx.Homes([]store.DeviceRef{ref}, nil, false)
		if err != nil {
			return err
		}
		homes.Devices[ref].Echo = &busbar.Echo{ActionID: "act_1", Command: "charge", At: at}
		return tx.SaveDevices([]*busbar.Device{homes.Devices[ref]})
	}))
	out := accept(t, p, nil, intake.Candidate{Event: busbar.Event{
		Type: busbar.TypeDeviceUpdated, DeviceID: "dev_battery", Timestamp: at, Data: json.RawMessage(`{"state":{"status":"charging"}}`),
	}})
	e, err := s.Event(t.Context(), busbar.Sandbox, out[0].EventID)
	must(t, err)
	want := busbar.Causation{RootEventID: e.ID, ParentID: "act_1", ActionID: "act_1", Inferred: true}
	if diff := cmp.Diff(want, e.Causation); diff != "" {
		t.Errorf("causation (-want +got):\n%s", diff)
	}
}
