package rules

import (
	"encoding/json"
	"fmt"
	"time"

	"busbar"
)

// Input is what an expression may look at: one event and one moment of its site. It is not changed while anything is
// evaluated, and evaluating changes nothing of it.
type Input struct {
	Event *busbar.Event
	// Data is that of the event, decoded.
	Data map[string]any
	// Device is what the event is about, with the state after the event; nil when it is about no registered device.
	Device *busbar.Device
	// Previous is the rounded state of the device before the event.
	Previous busbar.State
	// Changed are the names of what the event changed.
	Changed []string
	// Site is nil when the event has none.
	Site *busbar.Site
	// Devices are those of the site in the order of their ids, with their states after the event.
	Devices []*busbar.Device
	// Location is the site's time zone; nil is UTC.
	Location *time.Location
	// Clock is that of a simulated site; the sun follows it.
	Clock Clock
	// At is when the event happened.
	At time.Time
	// Steps are those of the run that have ended, Error is what a failed one ended with.
	Steps []StepResult
	Error *Failure
	// eventType is that of Event, for filters, which look at no event itself.
	eventType string
}

// StepResult is how a step of a run ended.
type StepResult struct {
	// Status is done, failed or no_longer_wanted.
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Failure is what a step failed with for good.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Step counts from 1.
	Step int `json:"step"`
}

// now is the event's time on the site's clock.
func (in *Input) now() time.Time {
	if in.Location == nil {
		return in.At.UTC()
	}
	return in.At.In(in.Location)
}

// stale reports whether a field of a device was observed too long before the event to be believed.
func (in *Input) stale(d *busbar.Device, field string) bool {
	observed, ok := d.ObservedAt[field]
	return ok && d.StaleAfter > 0 && in.At.Sub(observed) > d.StaleAfter
}

// decode reads an event's data.
func decode(e *busbar.Event) (map[string]any, error) {
	var data map[string]any
	if len(e.Data) == 0 {
		return data, nil
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return nil, fmt.Errorf("read data of event %s: %w", e.ID, err)
	}
	return data, nil
}
