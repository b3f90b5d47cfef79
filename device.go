package busbar

import (
	"fmt"
	"slices"
	"time"
)

// Device is something at a site that reports a state and may take commands.
type Device struct {
	ID          DeviceID
	Environment Environment
	Family      Family
	SiteID      SiteID
	Name        string
	Vendor      string
	Model       string
	UserID      string
	// StaleAfter is how long a device may be silent before what it said is not believed any more.
	StaleAfter time.Duration
	Driver     Driver
	// Commands are its capabilities: what is not there is not supported.
	Commands Commands
	Settings map[string]Quantity

	Connection Connection
	// WasConnected: it has been connected before, so that the next time is a reconnection.
	WasConnected bool
	// ConnectionAt is when the connection was last reported.
	ConnectionAt time.Time
	// State is what it reported last of each field, as reported.
	State State
	// Announced is the rounded state of the last event; rules and webhooks see this one.
	Announced State
	// ObservedAt is when each field was observed; a field that is older than StaleAfter is unknown to rules.
	ObservedAt map[string]time.Time
	// StateAt is when the newest applied reading was observed, ReportedAt when the last reading came in.
	StateAt    time.Time
	ReportedAt time.Time
	// CheckAt is when its silence is looked at next, KeptAt when a reading last went into the history.
	CheckAt, KeptAt time.Time
	// SyncLost: it has been silent for longer than StaleAfter, and an event said so.
	SyncLost bool
	// HeldUntil: a person keeps rules off the device until then.
	HeldUntil time.Time
	// Echo is the last command that the device accepted, to tell its effects from news.
	Echo      *Echo
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Limits of devices.
const (
	DefaultStaleAfter = 15 * time.Minute
	MinStaleAfter     = time.Second
	MaxStaleAfter     = 30 * 24 * time.Hour
	MaxReadings       = 500
	// EchoWindow is how long after a command a change of what it affects is taken for its effect.
	EchoWindow = 120 * time.Second
	MaxHold    = 7 * 24 * time.Hour
)

// Echo is a command that a device accepted.
type Echo struct {
	ActionID  ActionID  `json:"actionId"`
	Command   string    `json:"command"`
	At        time.Time `json:"at"`
	Causation Causation `json:"causation"`
}

// Synced reports whether the device has reported, and not fallen silent since.
func (d *Device) Synced() bool { return !d.ReportedAt.IsZero() && !d.SyncLost }

// StaleAt is when the device will have been silent for too long; zero when it is so already or never reported.
func (d *Device) StaleAt() time.Time {
	if !d.Synced() {
		return time.Time{}
	}
	return d.ReportedAt.Add(d.StaleAfter)
}

// Connection says whether a device can be reached. It never blocks a command: the driver's answer does.
type Connection string

// The states of a connection. A device begins disconnected.
const (
	Connected    Connection = "connected"
	Disconnected Connection = "disconnected"
)

// ParseConnection rejects what is not a connection.
func ParseConnection(s string) (Connection, error) {
	switch c := Connection(s); c {
	case Connected, Disconnected:
		return c, nil
	default:
		return "", fmt.Errorf("%q is neither %q nor %q", s, Connected, Disconnected)
	}
}

// DriverKind says how commands reach a device.
type DriverKind string

// The kinds of drivers.
const (
	// DriverSimulator: a simulated home asks for commands and reports results.
	DriverSimulator DriverKind = "simulator"
	// DriverHTTP: commands are posted to a gateway, signed.
	DriverHTTP DriverKind = "http"
	// DriverAmps: commands go to an Amps-compatible device API.
	DriverAmps DriverKind = "amps"
	// DriverManual accepts everything at once: for tests and virtual devices.
	DriverManual DriverKind = "manual"
)

// ParseDriverKind rejects what is not a kind of driver.
func ParseDriverKind(s string) (DriverKind, error) {
	switch k := DriverKind(s); k {
	case DriverSimulator, DriverHTTP, DriverAmps, DriverManual:
		return k, nil
	default:
		return "", fmt.Errorf("%q is none of simulator, http, amps, manual", s)
	}
}

// Driver is how a device is reached.
type Driver struct {
	Kind DriverKind
	// URL is the gateway of an http driver, or the base of an amps driver's API.
	URL string
	// DeviceID is what an amps driver's API calls the device.
	DeviceID string
	// Secret signs for an http driver (`whsec_…`), and is the API key of an amps driver. It is never shown.
	Secret string
}

// Execution is a way in which a command may be timed.
type Execution string

// The ways.
const (
	Immediate Execution = "immediate"
	Scheduled Execution = "scheduled"
	// Windowed runs from a start until an end, and then goes back to what was before.
	Windowed Execution = "windowed"
)

// ParseExecution rejects what is not a way.
func ParseExecution(s string) (Execution, error) {
	switch e := Execution(s); e {
	case Immediate, Scheduled, Windowed:
		return e, nil
	default:
		return "", fmt.Errorf("%q is none of immediate, scheduled, windowed", s)
	}
}

// Capability is what a device understands of one command. A parameter that is not there is not supported.
type Capability struct {
	Parameters map[string]Range `json:"parameters"`
	Execution  []Execution      `json:"execution"`
}

// Commands are the capabilities of a device, by command.
type Commands map[string]Capability

// Supports reports whether the command may be timed in this way.
func (c *Capability) Supports(e Execution) bool { return slices.Contains(c.Execution, e) }

// Commands that more than one place needs by name.
const (
	ModeBalanced          = "auto.balanced"
	ModeReserve           = "auto.reserve"
	ModeExport            = "auto.export"
	CommandFollowSchedule = "follow_schedule"
)
