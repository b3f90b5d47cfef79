package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"busbar"
	"busbar/internal/store"
)

func mustSite(t *testing.T, s *opened) *busbar.Site {
	t.Helper()
	latitude, longitude := 52.5, 13.4
	site := &busbar.Site{
		ID: "site_home", Environment: busbar.Sandbox, Name: "Home", Timezone: "Europe/Berlin", Latitude: &latitude, Longitude: &longitude,
		CreatedAt: s.clock.now(), UpdatedAt: s.clock.now(),
	}
	if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateSite(site) }); err != nil {
		t.Fatalf("create site: %v", err)
	}
	return site
}

func newDevice(s *opened, id busbar.DeviceID, site busbar.SiteID) *busbar.Device {
	return &busbar.Device{
		ID: id, Environment: busbar.Sandbox, Family: busbar.Battery, SiteID: site, Name: "Cellar", Vendor: "acme", Model: "B1", UserID: "user_1",
		StaleAfter: busbar.DefaultStaleAfter, Driver: busbar.Driver{Kind: busbar.DriverHTTP, URL: "https://example.com/gateway", Secret: "whsec_hush"},
		Commands: busbar.Battery.Spec().DefaultCommands(), Settings: map[string]busbar.Quantity{"discharge_floor": {Value: 10, Unit: busbar.Percent}},
		Connection: busbar.Disconnected, State: busbar.State{}, Announced: busbar.State{}, ObservedAt: map[string]time.Time{},
		CreatedAt: s.clock.now(), UpdatedAt: s.clock.now(),
	}
}

func mustDevice(t *testing.T, s *opened, d *busbar.Device) *busbar.Device {
	t.Helper()
	if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateDevice(d) }); err != nil {
		t.Fatalf("create device: %v", err)
	}
	return d
}

func decideSandbox(t *testing.T, s *store.Store, fn func(tx *store.DecisionTx) error) {
	t.Helper()
	if err := s.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, fn); err != nil {
		t.Fatalf("decide: %v", err)
	}
}

func TestSitesAndDevicesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		got, err := s.Site(t.Context(), busbar.Sandbox, site.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*site, got); diff != "" {
			t.Errorf("site changed on its way (-written +read):\n%s", diff)
		}
		d := mustDevice(t, s, newDevice(s, "dev_battery", site.ID))
		device, err := s.DeviceWithSecret(t.Context(), busbar.Sandbox, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*d, device); diff != "" {
			t.Errorf("device changed on its way (-written +read):\n%s", diff)
		}
		bare, err := s.Device(t.Context(), busbar.Sandbox, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if bare.Driver.Secret != "" {
			t.Error("a read without secrets has the driver's")
		}
		_, err = s.Device(t.Context(), busbar.Live, d.ID)
		wantCode(t, err, busbar.CodeDeviceNotFound)
		_, err = s.Site(t.Context(), busbar.Live, site.ID)
		wantCode(t, err, busbar.CodeNotFound)
		for filter, want := range map[store.DeviceFilter]int{
			{}: 1, {Family: busbar.Battery}: 1, {Family: busbar.HVAC}: 0, {SiteID: site.ID}: 1, {SiteID: "other"}: 0, {UserID: "user_1"}: 1, {UserID: "user_2"}: 0,
		} {
			page, err := s.Devices(t.Context(), busbar.Sandbox, filter, busbar.PageRequest{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Items) != want {
				t.Errorf("%+v finds %d devices, want %d", filter, len(page.Items), want)
			}
		}
	})
}

func TestTakenIDsAndDevicesOfASiteAreConflicts(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		d := mustDevice(t, s, newDevice(s, "dev_battery", site.ID))
		again := func(tx *store.Tx) error { return tx.CreateSite(&busbar.Site{ID: site.ID, Environment: busbar.Sandbox}) }
		wantCode(t, once(t.Context(), s.Store, again), busbar.CodeConflict)
		twin := func(tx *store.Tx) error { return tx.CreateDevice(newDevice(s, d.ID, site.ID)) }
		wantCode(t, once(t.Context(), s.Store, twin), busbar.CodeConflict)
		lost := func(tx *store.Tx) error { return tx.CreateDevice(newDevice(s, "dev_lost", "nowhere")) }
		wantCode(t, once(t.Context(), s.Store, lost), busbar.CodeNotFound)
		wantCode(t, s.DeleteSite(t.Context(), busbar.Sandbox, site.ID), busbar.CodeConflict)
		if err := s.DeleteDevice(t.Context(), busbar.Sandbox, d.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteSite(t.Context(), busbar.Sandbox, site.ID); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheOwnersChangesLeaveWhatADeviceSaid(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		mustDevice(t, s, newDevice(s, "dev_battery", site.ID))
		at := s.clock.now()
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			homes, err := tx.Homes([]store.DeviceRef{{Environment: busbar.Sandbox, ID: "dev_battery"}}, nil, true)
			if err != nil {
				return err
			}
			d := homes.Devices[store.DeviceRef{Environment: busbar.Sandbox, ID: "dev_battery"}]
			d.State, d.Announced = busbar.State{"level": 98.76, "status": nil}, busbar.State{"level": 98.8, "status": nil}
			d.ObservedAt = map[string]time.Time{"level": at, "status": at}
			d.StateAt, d.ReportedAt, d.CheckAt, d.KeptAt = at, at, at.Add(time.Hour), at
			d.Connection, d.WasConnected, d.HeldUntil = busbar.Connected, true, at.Add(time.Hour)
			d.Echo = &busbar.Echo{ActionID: "act_1", Command: "charge", At: at}
			return tx.SaveDevices([]*busbar.Device{d})
		})
		before, err := s.Site(t.Context(), busbar.Sandbox, site.ID)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.UpdateDevice(t.Context(), busbar.Sandbox, "dev_battery", func(d *busbar.Device) error {
			d.Name, d.StaleAfter = "Garage", time.Minute
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.DeviceWithSecret(t.Context(), busbar.Sandbox, "dev_battery")
		if err != nil {
			t.Fatal(err)
		}
		d.CheckAt = at.Add(time.Minute)
		if diff := cmp.Diff(d, got); diff != "" {
			t.Errorf("device after the change (-want +got):\n%s", diff)
		}
		if got.State["level"] != 98.76 || got.Name != "Garage" || got.Echo == nil {
			t.Errorf("device = %+v", got)
		}
		after, err := s.Site(t.Context(), busbar.Sandbox, site.ID)
		if err != nil {
			t.Fatal(err)
		}
		if after.Seq <= before.Seq {
			t.Errorf("the site's number went from %d to %d, want it raised", before.Seq, after.Seq)
		}
		refused := errors.New("refused")
		if _, err := s.UpdateDevice(t.Context(), busbar.Sandbox, "dev_battery", func(*busbar.Device) error { return refused }); !errors.Is(err, refused) {
			t.Errorf("a change that fails = %v", err)
		}
	})
}

func TestHistoryIsPagedByField(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		mustDevice(t, s, newDevice(s, "dev_battery", site.ID))
		at := s.clock.now()
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			var readings []store.Reading
			for i := range 5 {
				r := store.Reading{
					Environment: busbar.Sandbox, DeviceID: "dev_battery", ObservedAt: at.Add(time.Duration(i) * time.Minute), ReceivedAt: at,
					State: busbar.State{"level": float64(i)}, Late: i == 3,
				}
				if i == 4 {
					r.State = busbar.State{"status": "idle"}
				}
				readings = append(readings, r)
			}
			return tx.AddReadings(readings)
		})
		var values []any
		req := busbar.PageRequest{Limit: 3}
		for {
			page, err := s.History(t.Context(), busbar.Sandbox, "dev_battery", "level", time.Time{}, time.Time{}, req)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Items {
				values = append(values, p.Value)
				if p.Late != (p.Value == 3.0) {
					t.Errorf("point %+v", p)
				}
			}
			if page.NextCursor == "" {
				break
			}
			req.Cursor = page.NextCursor
		}
		if diff := cmp.Diff([]any{3.0, 2.0, 1.0, 0.0}, values); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff)
		}
		part, err := s.History(t.Context(), busbar.Sandbox, "dev_battery", "level", at.Add(time.Minute), at.Add(2*time.Minute), busbar.PageRequest{Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(part.Items) != 1 || part.Items[0].Value != 1.0 {
			t.Errorf("points of one minute = %+v", part.Items)
		}
	})
}

func newAction(s *opened, id busbar.ActionID, slot busbar.Slot) *busbar.Action {
	at := s.clock.now()
	return &busbar.Action{
		ID: id, Environment: busbar.Sandbox, DeviceID: "dev_battery", Family: busbar.Battery, SiteID: "site_home", Command: "charge",
		Parameters: map[string]busbar.Quantity{"power": {Value: 3, Unit: busbar.Kilowatts}}, State: busbar.ActionAcknowledged, Slot: slot,
		Start: at, End: at.Add(time.Hour), ExpiresIn: time.Minute, ExpiresAt: at.Add(time.Minute), HoldFor: time.Hour, Phase: busbar.PhasePush,
		Before: &busbar.Instruction{Command: "idle"}, Tries: 2, Remote: "act_remote", Result: &busbar.ActionResult{Success: true, Message: "ok"},
		ErrorCode: "DEVICE_OFFLINE", ErrorMessage: "offline", CancelReason: busbar.CancelReplaced, Replaces: "act_a", ReplacedBy: "act_b",
		RuleID: "rule_1", RunID: "run_1", Causation: busbar.Causation{RootEventID: "evt_1", Depth: 2},
		CreatedAt: at, UpdatedAt: at, AcknowledgedAt: at, AcceptedAt: at,
	}
}

func TestADeviceHasOneCurrentAndOneQueuedAction(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustSite(t, s)
		mustDevice(t, s, newDevice(s, "dev_battery", "site_home"))
		current := newAction(s, "act_1", busbar.SlotCurrent)
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			return errors.Join(tx.InsertAction(current), tx.InsertAction(newAction(s, "act_2", busbar.SlotQueued)))
		})
		got, err := s.Action(t.Context(), busbar.Sandbox, "act_1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*current, got); diff != "" {
			t.Errorf("action changed on its way (-written +read):\n%s", diff)
		}
		for _, slot := range []busbar.Slot{busbar.SlotCurrent, busbar.SlotQueued} {
			err := s.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
				return tx.InsertAction(newAction(s, "act_3", slot))
			})
			if !errors.Is(err, gorm.ErrDuplicatedKey) {
				t.Errorf("a second %s action = %v, want it refused by the database", slot, err)
			}
		}
		wantCode(t, s.DeleteDevice(t.Context(), busbar.Sandbox, "dev_battery"), busbar.CodeConflict)
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			open, err := tx.OpenActions(store.DeviceRef{Environment: busbar.Sandbox, ID: "dev_battery"})
			if err != nil {
				return err
			}
			first, second := open[busbar.SlotCurrent], open[busbar.SlotQueued]
			first.State, first.Slot, first.CompletedAt = busbar.ActionCompleted, "", s.clock.now()
			second.State, second.Slot, second.CompletedAt = busbar.ActionFailed, "", s.clock.now()
			try := busbar.Try{ActionID: first.ID, Number: 1, Phase: busbar.PhasePush, At: s.clock.now(), Outcome: busbar.TryFailed}
			done := try
			done.Outcome, done.Duration = busbar.TryAccepted, time.Second
			return errors.Join(tx.SaveAction(first), tx.SaveAction(second), tx.SaveTry(&try), tx.SaveTry(&done))
		})
		tries, err := s.Tries(t.Context(), "act_1")
		if err != nil {
			t.Fatal(err)
		}
		if len(tries) != 1 || tries[0].Outcome != busbar.TryAccepted || tries[0].Duration != time.Second {
			t.Errorf("tries = %+v", tries)
		}
		page, err := s.Actions(t.Context(), busbar.Sandbox, store.ActionFilter{DeviceID: "dev_battery", State: busbar.ActionCompleted}, busbar.PageRequest{Limit: 5})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) != 1 || page.Items[0].ID != "act_1" {
			t.Errorf("completed actions = %+v", page.Items)
		}
		s.clock.advance(busbar.DefaultRetention + time.Second)
		purged, err := s.Purge(t.Context(), busbar.Retention{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		if purged.Actions != 2 {
			t.Errorf("purged %d actions, want 2", purged.Actions)
		}
		if err := s.DeleteDevice(t.Context(), busbar.Sandbox, "dev_battery"); err != nil {
			t.Errorf("delete device without open actions: %v", err)
		}
	})
}

func TestFaultsEnd(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustSite(t, s)
		mustDevice(t, s, newDevice(s, "dev_battery", "site_home"))
		fault := &busbar.Fault{
			Environment: busbar.Sandbox, DeviceID: "dev_battery", Kind: busbar.FaultSlow, Until: s.clock.now().Add(time.Minute), Delay: time.Second,
			CreatedAt: s.clock.now(),
		}
		for range 2 {
			if err := s.SetFault(t.Context(), fault); err != nil {
				t.Fatal(err)
			}
		}
		page, err := s.Faults(t.Context(), busbar.Sandbox, "", busbar.PageRequest{Limit: 5})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]busbar.Fault{*fault}, page.Items); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		s.clock.advance(2 * time.Minute)
		if page, err = s.Faults(t.Context(), busbar.Sandbox, "dev_battery", busbar.PageRequest{Limit: 5}); err != nil || len(page.Items) != 0 {
			t.Errorf("faults after their end = %+v, %v", page.Items, err)
		}
		if err := s.ClearFaults(t.Context(), busbar.Sandbox, "dev_battery"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestADeviceIsReadByOneAtATime(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustSite(t, s)
		mustDevice(t, s, newDevice(s, "dev_battery", "site_home"))
		remote := newDevice(s, "dev_remote", "site_home")
		remote.Driver = busbar.Driver{Kind: busbar.DriverAmps, URL: "https://example.com/v1", DeviceID: "d1", Secret: "key"}
		mustDevice(t, s, remote)
		want := []store.DeviceRef{{Environment: busbar.Sandbox, ID: "dev_remote"}}
		got, err := s.ClaimPulls(t.Context(), 10, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("devices to read (-want +got):\n%s", diff)
		}
		if got, err := s.ClaimPulls(t.Context(), 10, time.Minute); err != nil || len(got) != 0 {
			t.Errorf("a claimed device = %v, %v, want none", got, err)
		}
		if err := s.PullAt(t.Context(), want[0], s.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(2 * time.Hour)
		if got, err := s.ClaimPulls(t.Context(), 10, time.Minute); err != nil || len(got) != 1 {
			t.Errorf("a device that is due = %v, %v", got, err)
		}
	})
}
