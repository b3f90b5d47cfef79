package rules

import (
	"fmt"
	"slices"
	"time"

	"busbar"
)

// testStart is when tests begin on the test home's clock: noon of a Monday in June.
const testStart = "2026-06-01T12:00:00"

const testZone = "Europe/Berlin"

// MaxPlayed is how many events, openings of windows and ends of holds there may be while events are played, or all tests
// of a rule are run: a rule that emits what it is asked at multiplies.
const MaxPlayed = 2000

// newHome is the home that tests play in: one device of each family, at ease, connected and fresh.
func newHome() (*busbar.Site, []*busbar.Device) {
	latitude, longitude := 52.52, 13.405
	site := &busbar.Site{ID: "site_test", Environment: busbar.Sandbox, Name: "Test home", Timezone: testZone, Latitude: &latitude, Longitude: &longitude}
	states := map[busbar.Family]busbar.State{
		busbar.Battery: {
			"status": "idle", "capacity": 10.0, "level": 50.0, "chargeRate": 0.0, "dischargeLimit": 10.0, "currentMode": busbar.ModeBalanced,
			"temperature": 20.0,
		},
		busbar.EVCharger: {
			"status": "plugged", "isConnected": true, "isCharging": false, "currentPower": 0.0, "maxCurrent": 32.0, "powerRateLimit": 11.0,
		},
		busbar.HVAC: {
			"temperature": 21.0, "active": false, "heatSetpoint": 20.0, "coolSetpoint": 25.0, "holdType": "follow_schedule", "mode": "auto",
		},
		busbar.SolarInverter: {"status": "producing", "currentPower": 3.0, "producing": true, "energyTotal": 1000.0},
		busbar.Vehicle: {
			"batteryLevel": 60.0, "range": 250.0, "plugged": true, "charging": false, "fullyCharged": false, "batteryCapacity": 60.0,
			"chargeLimit": 80.0, "chargeRate": 0.0, "atHome": true,
		},
		busbar.Meter: {"importPower": 0.0, "price": 0.3},
	}
	var devices []*busbar.Device
	for _, family := range busbar.Families() {
		devices = append(devices, &busbar.Device{
			ID: busbar.DeviceID("dev_" + string(family)), Environment: site.Environment, Family: family, SiteID: site.ID, Name: string(family),
			StaleAfter: busbar.DefaultStaleAfter, Driver: busbar.Driver{Kind: busbar.DriverManual}, Commands: family.Spec().DefaultCommands(),
			Settings: map[string]busbar.Quantity{}, Connection: busbar.Connected, WasConnected: true, State: states[family], Announced: states[family],
		})
	}
	slices.SortFunc(devices, func(a, b *busbar.Device) int { return compareIDs(a.ID, b.ID) })
	return site, devices
}

func compareIDs(a, b busbar.DeviceID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Played is what came of a row of events.
type Played struct {
	Runs      []Run
	Commands  []PlayedCommand
	Emissions []PlayedEmission
	// Log has a line for each of the above, in order, with the time since the beginning.
	Log []string
}

// PlayedCommand is a command with when it was given. It is assumed to succeed, and to change nothing by itself.
type PlayedCommand struct {
	At     time.Time
	RuleID string
	Command
}

// PlayedEmission is an event that a rule made.
type PlayedEmission struct {
	At     time.Time
	RuleID string
	Emission
	causation busbar.Causation
}

// world is the home with its clock while a row of events is played.
type world struct {
	Played
	site      *busbar.Site
	loc       *time.Location
	devices   []*busbar.Device
	rules     []*Standing
	begun     time.Time
	now       time.Time
	events    int
	pending   []pendingHold
	openings  map[*Standing]time.Time
	unhandled []PlayedEmission
	// budget is how many more events, openings and ends of holds there may be.
	budget *int
}

type pendingHold struct {
	rule  *Standing
	key   string
	hold  Hold
	event busbar.Event
}

// Play gives rules a row of events in the test home, and lets the holds that they begin come to their end. Readings stay
// fresh, commands succeed at once, and what rules emit are events in their turn.
func Play(rules []*Compiled, given []Given) (*Played, error) {
	budget := MaxPlayed
	return play(rules, given, &budget)
}

func play(rules []*Compiled, given []Given, budget *int) (*Played, error) {
	w := &world{openings: make(map[*Standing]time.Time), budget: budget}
	w.site, w.devices = newHome()
	w.loc = w.site.Location()
	start := testStart
	if len(given) > 0 && given[0].At != "" {
		start = given[0].At
	}
	begun, err := busbar.LocalTime(start, w.loc)
	if err != nil {
		return nil, fmt.Errorf("given[0].at: %w", err)
	}
	w.begun, w.now = begun, begun
	for i, c := range rules {
		id := c.Rule.ID
		if id == "" {
			id = fmt.Sprintf("rule%d", i+1)
		}
		standing := &Standing{Compiled: c, ID: id, Version: 1, Keys: make(map[string]EdgeState)}
		w.rules = append(w.rules, standing)
		if next := c.NextOpening(w.now, w.loc); !next.IsZero() {
			w.openings[standing] = next
		}
	}
	for i := range given {
		if err := w.advance(w.now.Add(given[i].After)); err != nil {
			return nil, err
		}
		if err := w.happen(&given[i]); err != nil {
			return nil, fmt.Errorf("given[%d]: %w", i, err)
		}
	}
	for len(w.pending) > 0 {
		if err := w.advance(w.nextHold().hold.Due); err != nil {
			return nil, err
		}
	}
	return &w.Played, nil
}
