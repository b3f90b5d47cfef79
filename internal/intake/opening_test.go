package intake_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/rules"
)

// windowed is a rule that acts by day.
const windowed = `{"name": "r", "mode": "active", "on": ["device.updated"], "deviceType": "battery", "if": "state.level >= 99",
	"window": {"from": "08:00", "to": "18:00", "timezone": "site"}, "then": [{"push": {"device": "site.evChargers", "command": "charge", "onConflict": "cancel_and_replace"}}]}`

// at sets the clock to a time of the site on a summer's day.
func (p *plant) at(clock string) {
	p.t.Helper()
	at, err := busbar.LocalTime("2026-07-01T"+clock, berlin(p.t))
	must(p.t, err)
	p.clock.Store(at.UnixMicro())
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	return loc
}

func (p *plant) opening(after time.Time) intake.WindowNext {
	p.t.Helper()
	next, err := p.NextOpening(p.t.Context(), busbar.Sandbox, "rule_1", after)
	must(p.t, err)
	return next
}

// opens has the window of rule_1 opened everywhere.
func (p *plant) opens(at time.Time) []busbar.SiteID {
	p.t.Helper()
	page := intake.WindowPage{Environment: busbar.Sandbox, RuleID: "rule_1", At: at}
	var sites []busbar.SiteID
	for {
		site, ok, err := p.OpenWindow(p.t.Context(), page)
		must(p.t, err)
		if !ok {
			return sites
		}
		sites = append(sites, site)
		page.After = site
	}
}

func (p *plant) site(id busbar.SiteID, zone string) {
	p.t.Helper()
	_, err := p.store.Once(p.t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateSite(&busbar.Site{ID: id, Environment: busbar.Sandbox, Name: string(id), Timezone: zone})
	})
	must(p.t, err)
}

func TestAWindowFiresWhenItOpens(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), battery(), charger(), busbar.Device{ID: "dev_low", Family: busbar.Battery})
		p.at("07:00:00")
		p.rule("rule_1", windowed)
		p.level(50)
		_, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_low", State: map[string]any{"level": 10}}})
		must(t, err)
		p.at("07:55:00")
		p.level(100)
		next := p.opening(time.Time{})
		if want := 5*time.Minute - time.Second; next.Wait.Round(time.Second) != want || next.Over {
			t.Fatalf("opens in %s, want %s", next.Wait, want)
		}
		p.at("08:00:02")
		if due := p.opening(time.Time{}); !due.At.Equal(next.At) || due.Wait != 0 {
			t.Errorf("due %+v, want %s", due, next.At)
		}
		for range 2 {
			if diff := cmp.Diff([]busbar.SiteID{"site_home"}, p.opens(next.At)); diff != "" {
				t.Errorf("opened at (-want +got):\n%s", diff)
			}
		}
		run := p.run(p.begunRun())
		if run.Trigger != string(rules.TriggerWindow) || run.Key != "device:dev_battery" || run.Number != 1 || run.Lateness != 2*time.Second {
			t.Errorf("run %+v", run)
		}
		action := p.action(p.actionOf(run.ID, "then/0/0"))
		want := busbar.Causation{ParentID: string(run.ID), RuleID: "rule_1", Depth: 1}
		if diff := cmp.Diff(want, action.Causation); diff != "" {
			t.Errorf("causation (-want +got):\n%s", diff)
		}
		if again := p.opening(next.At); again.At.Sub(next.At) != 24*time.Hour {
			t.Errorf("it opens next at %s", again.At)
		}
	})
}

// The rule's window opens with each site's morning.
func TestAWindowOpensWhereItIsTime(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	p.site("site_a", "Europe/Paris")
	p.site("site_b", "Europe/London")
	p.site("site_c", "America/New_York")
	p.at("07:00:00")
	p.rule("rule_1", windowed)
	type opening struct {
		In time.Duration
		At []busbar.SiteID
	}
	var got []opening
	begun := p.now()
	var last time.Time
	for range 4 {
		next := p.opening(last)
		p.advance(next.Wait)
		got, last = append(got, opening{p.now().Sub(begun), p.opens(next.At)}), next.At
	}
	want := []opening{
		{time.Hour, []busbar.SiteID{"site_a", "site_home"}},
		{2 * time.Hour, []busbar.SiteID{"site_b"}},
		{7 * time.Hour, []busbar.SiteID{"site_c"}},
		{25 * time.Hour, []busbar.SiteID{"site_a", "site_home"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("openings (-want +got):\n%s", diff)
	}
}

// An opening that everything slept through is acted on for as long as the rule may act late.
func TestAMissedOpeningIsMadeUpForSoonOrNotAtAll(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	p.at("07:00:00")
	p.rule("rule_1", windowed)
	p.at("08:14:00")
	missed := p.opening(time.Time{})
	if missed.Wait != 0 {
		t.Fatalf("the opening of 14 minutes ago is not made up for: %+v", missed)
	}
	p.at("08:16:00")
	if sites := p.opens(missed.At); len(sites) > 0 {
		t.Errorf("opened too late at %v", sites)
	}
	if next := p.opening(time.Time{}); next.Wait < 20*time.Hour {
		t.Errorf("the opening of 16 minutes ago is made up for: %+v", next)
	}
}

// A rule that was saved within its window has not opened it.
func TestAnOpeningBeforeASaveIsNotMadeUpFor(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	p.at("08:01:00")
	p.rule("rule_1", windowed)
	if next := p.opening(time.Time{}); next.Wait < 20*time.Hour {
		t.Errorf("the opening before the save is made up for: %+v", next)
	}
}

func TestAWindowThatIsNotThereIsOver(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	if next := p.opening(time.Time{}); !next.Over {
		t.Errorf("a rule that does not exist: %+v", next)
	}
	p.rule("rule_1", chargeThenTell)
	if next := p.opening(time.Time{}); !next.Over {
		t.Errorf("a rule without a window: %+v", next)
	}
	if sites := p.opens(p.now()); len(sites) > 0 {
		t.Errorf("opened at %v", sites)
	}
}

// The edge of a rule that all sites share belongs to none of them, and neither does its window.
func TestAWindowOfAllSitesOpensOnce(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	p.at("07:00:00")
	p.rule("rule_1", `{"name": "r", "mode": "active", "on": ["battery.full"], "scope": "rule", "if": "true", "edge": "every",
		"window": {"from": "08:00", "to": "18:00", "timezone": "Europe/Berlin"}, "then": [{"emit": {"type": "day.begun", "data": {}}}]}`)
	next := p.opening(time.Time{})
	if next.Wait != time.Hour {
		t.Fatalf("opens in %s", next.Wait)
	}
	p.advance(next.Wait)
	for range 2 {
		p.opens(next.At)
	}
	p.take(p.begunRun(), "then/0/0", "ended done")
	if told := p.events("day.begun"); len(told) != 1 || told[0].Causation.RootEventID != told[0].ID || told[0].Causation.Depth != 1 {
		t.Errorf("emitted %+v", told)
	}
}
