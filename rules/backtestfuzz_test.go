package rules_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
)

// script reads a history out of whatever bytes come; when they are used up it gives zeros.
type script struct {
	rest []byte
}

// choose gives a number below n.
func (s *script) choose(n int) int {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return int(b) % n
}

// state is what an event says of a device's state, which may be nonsense.
func (s *script) state() any {
	values := []any{0.0, 50.0, 99.0, 100.0, -7.25, 1e300, nil, true, "charging", "idle", []any{1.0}, map[string]any{"x": nil}}
	fields := []string{"level", "status", "importPower", "isConnected", "currentPower", "price", "nosuchfield"}
	switch s.choose(12) {
	case 0:
		return nil
	case 1:
		return "a text"
	case 2:
		return []any{map[string]any{"level": 100.0}}
	}
	state := map[string]any{"level": float64(s.choose(102))}
	for range s.choose(4) {
		state[fields[s.choose(len(fields))]] = values[s.choose(len(values))]
	}
	return state
}

// record makes up to 200 events: in order and out of it, of what is there and what is not.
func (s *script) record(r *recording) {
	types := []string{
		busbar.TypeDeviceUpdated, busbar.TypeDeviceUpdated, busbar.TypeDeviceUpdated, busbar.TypeDeviceConnected, busbar.TypeDeviceDisconnected,
		busbar.TypeDeviceReconnected, busbar.TypePushCompleted, "battery.full",
	}
	devices := []busbar.DeviceID{"dev_battery", "dev_battery", "dev_meter", "dev_charger1", "dev_nosuch", ""}
	steps := []time.Duration{0, time.Second, time.Minute, 10 * time.Minute, time.Hour, 23 * time.Hour, 40 * 24 * time.Hour, -time.Minute, -26 * time.Hour}
	after := time.Duration(0)
	for len(s.rest) > 0 && len(r.Events) < 200 {
		after += steps[s.choose(len(steps))]
		data := map[string]any{"state": s.state(), "previous": s.state(), "changed": []any{"level", 1.0, nil}}
		if s.choose(6) == 0 {
			data["sync"] = []any{map[string]any{"available": s.choose(2) == 0}, "gone", nil}[s.choose(3)]
		}
		e := busbar.Event{Type: types[s.choose(len(types))], DeviceID: devices[s.choose(len(devices))]}
		if s.choose(5) == 0 {
			e.SiteID = []busbar.SiteID{"site_nosuch", "site_home"}[s.choose(2)]
		}
		added := r.add(after, e, data)
		switch s.choose(8) {
		case 0:
			added.Flags = append(added.Flags, busbar.FlagLate)
		case 1:
			added.Timestamp = added.ReceivedAt.Add(-steps[s.choose(7)])
		case 2:
			added.Seq = int64(s.choose(20))
		case 3:
			added.Causation.Depth = s.choose(rules.MaxDepth + 3)
		}
	}
}

// standings are two versions of a rule, one of them with edges from before.
func (s *script) standings(c *rules.Compiled) []*rules.Standing {
	edge := rules.EdgeState{Version: s.choose(3), Spent: s.choose(2) == 0, Number: int64(s.choose(9))}
	if s.choose(3) == 0 {
		edge.FiredAt = noon.Add(-time.Minute)
	}
	if s.choose(3) == 0 {
		edge.Hold = &rules.Hold{ID: "hold_1", Version: s.choose(3), EventID: "evt_old", Since: noon.Add(-time.Hour), Due: noon.Add(time.Minute)}
	}
	keys := map[string]rules.EdgeState{"device:dev_battery": edge, "site:site_home": edge, "rule": edge, "device:dev_gone": edge}
	return []*rules.Standing{{Compiled: c, ID: "rule_1", Version: 2, Keys: keys}, {Compiled: c, ID: "rule_1", Version: 1}}
}

// FuzzBacktest plays whatever comes to whatever rule comes, or to one of some that use all that a rule can have. It watches that this
// neither panics, nor hangs, nor goes over its bounds, nor gives two answers, nor changes what it was given.
func FuzzBacktest(f *testing.F) {
	known := []*rules.Compiled{
		compiled(f), compiled(f, "edge: every"), compiled(f, "for: 10m", "grace: 5m", "cooldown: 30m"),
		compiled(f, "scope: site", "on: ['*']", "deviceType: ''", "if: any(site.batteries, .state.level > 50)", "rearm: site.meter.state.importPower < 0"),
		compiled(f, `window: {from: "22:00", to: "06:00", days: [mon, sat]}`, "scope: rule"),
	}
	for i, seed := range []string{
		"", "\x00\x03\x05\x02\x10", "\x02\x63\x01\x00\x00\x05\x03\x02\x03\x64\x00\x04\x05\x01\x00\x00\x00\x00\x00\x00",
		"\x06\x08\x64\x03\x01\x04\x06\x00\x01\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14",
	} {
		f.Add(example, []byte(seed))
		f.Add("", append([]byte{byte(i)}, seed...))
	}
	f.Fuzz(func(t *testing.T, text string, history []byte) {
		s := &script{history}
		rule := known[s.choose(len(known))]
		if parsed, err := rules.ParseYAML([]byte(text)); err == nil {
			if c, _ := rules.Check(parsed); c != nil {
				rule = c
			}
		}
		versions := s.standings(rule)
		r := newRecording(t)
		s.record(r)
		r.Until = noon.Add(90 * 24 * time.Hour)
		given, keys := toJSON(t, r.Recording), toJSON(t, versions[0].Keys)
		asked := 0
		began := time.Now()
		first, err := rules.Backtest(r.Recording, versions, func(*rules.Run) { asked++ })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		second, again := rules.Backtest(r.Recording, versions, nil)
		if (err == nil) != (again == nil) || toJSON(t, first) != toJSON(t, second) {
			t.Errorf("gave %v, then %v:\n%s", err, again, cmp.Diff(toJSON(t, first), toJSON(t, second)))
		}
		if toJSON(t, r.Recording) != given || toJSON(t, versions[0].Keys) != keys {
			t.Error("it changed what it was given")
		}
		checkBounds(t, first, asked)
	})
}

func checkBounds(t *testing.T, results []rules.Backtested, asked int) {
	t.Helper()
	decided := 0
	for _, b := range results {
		// A step sends at most 50 commands, and a rule has at most so many steps; the bound is looked at after each firing.
		if n := len(b.Commands) + len(b.Emissions); n > 2*rules.MaxBacktestCommands || len(b.Runs) > rules.MaxBacktestRuns {
			t.Errorf("%d commands and events, %d runs", n, len(b.Runs))
		}
		for _, n := range b.Decisions {
			decided += n
		}
	}
	if decided != asked {
		t.Errorf("%d decisions were counted, and %d seen", decided, asked)
	}
}
