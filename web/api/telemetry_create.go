package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/web/strictjson"
)

// StateBody is what one device reports.
type StateBody struct {
	ObservedAt strictjson.Optional[string]          `json:"observedAt" doc:"When, RFC 3339; now when absent." format:"date-time" example:"2026-06-01T10:30:00.000Z"`
	State      strictjson.Optional[json.RawMessage] `json:"state" doc:"Fields of its family; those that are absent stay as they were." required:"true"`
}

// ReadingsBody is what many devices report.
type ReadingsBody struct {
	Readings strictjson.Optional[[]ReadingBody] `json:"readings" doc:"1 to 500." required:"true"`
}

// ReadingBody is what one of many devices reports.
type ReadingBody struct {
	DeviceID   strictjson.Optional[string]          `json:"deviceId" required:"true" example:"dev_battery"`
	ObservedAt strictjson.Optional[string]          `json:"observedAt" doc:"When, RFC 3339; now when absent." format:"date-time" example:"2026-06-01T10:30:00.000Z"`
	State      strictjson.Optional[json.RawMessage] `json:"state" doc:"Fields of its family; those that are absent stay as they were." required:"true"`
}

// rawReadings is ReadingsBody before each reading is looked at on its own.
type rawReadings struct {
	Readings strictjson.Optional[[]json.RawMessage] `json:"readings"`
}

// TakenReading is what became of a reading.
type TakenReading struct {
	Status  intake.ReadingStatus `json:"status" enum:"updated,unchanged,late"`
	EventID busbar.EventID       `json:"eventId,omitempty" doc:"The device.updated that tells of it."`
}

// TakenItem is what became of one of many readings, or why it was refused.
type TakenItem struct {
	DeviceID busbar.DeviceID      `json:"deviceId,omitempty"`
	Status   intake.ReadingStatus `json:"status,omitempty" enum:"updated,unchanged,late"`
	EventID  busbar.EventID       `json:"eventId,omitempty"`
	Error    *Failure             `json:"error,omitempty" doc:"Why this one was refused."`
}

func (a *API) createState(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	body, err := decode[StateBody](r)
	if err != nil {
		return nil, err
	}
	reading, err := newReading(id, body.ObservedAt, body.State)
	if err != nil {
		return nil, err
	}
	outcomes, err := a.Devices.Read(ctx, r.Env, []intake.Reading{reading})
	if err != nil {
		return nil, err
	}
	if refused := outcomes[0].Err; refused != nil {
		return nil, refused
	}
	return &Reply{http.StatusAccepted, TakenReading{outcomes[0].Status, outcomes[0].EventID}}, nil
}

func (a *API) createStates(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[rawReadings](r)
	if err != nil {
		return nil, err
	}
	if n := len(body.Readings.Value); n < 1 || n > busbar.MaxReadings {
		return nil, busbar.Invalid("readings", "out_of_range", "must be 1 to %d", busbar.MaxReadings)
	}
	readings := make([]intake.Reading, len(body.Readings.Value))
	for i, text := range body.Readings.Value {
		var one ReadingBody
		err := strictjson.DecodeChecked(text, &one)
		id := busbar.DeviceID(one.DeviceID.Value)
		switch {
		case err != nil:
		case id == "":
			err = busbar.Invalid("deviceId", "required", "is missing")
		case !busbar.ValidID(string(id)):
			err = busbar.DeviceNotFound(busbar.DeviceID(shorten(string(id))))
		default:
			readings[i], err = newReading(id, one.ObservedAt, one.State)
		}
		if err != nil {
			refused, ok := refusal(err)
			if !ok {
				return nil, err
			}
			readings[i] = intake.Reading{Err: refused}
		}
		readings[i].DeviceID = id
	}
	outcomes, err := a.Devices.Read(ctx, r.Env, readings)
	if err != nil {
		return nil, err
	}
	answer := make([]TakenItem, len(outcomes))
	for i, o := range outcomes {
		answer[i] = TakenItem{DeviceID: readings[i].DeviceID, Status: o.Status, EventID: o.EventID}
		if o.Err != nil {
			f := render(o.Err)
			answer[i].Error = &f
		}
	}
	return &Reply{http.StatusAccepted, answer}, nil
}

// newReading reads what a device reports. Its fields are checked where its family is known.
func newReading(id busbar.DeviceID, observedAt strictjson.Optional[string], state strictjson.Optional[json.RawMessage]) (intake.Reading, error) {
	reading := intake.Reading{DeviceID: id}
	var p problems
	if observedAt.Has() {
		reading.ObservedAt = p.pastTime("observedAt", observedAt.Value)
	}
	switch kind := strictjson.KindOf(state.Value); {
	case !state.Has():
		p.add("state", "required", "is missing")
	case kind != "an object":
		p.add("state", "type", "must be an object, not %s", kind)
	default:
		if err := json.Unmarshal(state.Value, &reading.State); err != nil {
			p.add("state", "out_of_range", "has a number that cannot be calculated with")
		}
	}
	return reading, p.err()
}

// pastTime reads when something happened.
func (p *problems) pastTime(path, text string) time.Time {
	at, ok := busbar.ParseTime(text)
	switch {
	case !ok:
		p.add(path, "format", "must be RFC 3339 with a zone, as 2026-06-01T10:30:00.000Z")
	case at.Before(earliest):
		p.add(path, "out_of_range", "must not be before %s", earliest.Format(time.DateOnly))
	}
	return at
}
