package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/intake"
	"busbar/web/strictjson"
)

// PushBody is a command that someone wants carried out.
type PushBody struct {
	Action     strictjson.Optional[ActionBody] `json:"action" required:"true"`
	OnConflict strictjson.Optional[string]     `json:"onConflict" doc:"What becomes of an open action of the device; CONFLICT when absent." enum:"cancel_and_replace,queue_after"`
	ExpiresIn  strictjson.Optional[string]     `json:"expiresIn" doc:"How long after its start it is tried; a Go duration from 1s to 24h, default 10m." example:"10m"`
	HoldFor    strictjson.Optional[string]     `json:"holdFor" doc:"How long rules are kept off the device; a Go duration of at most 168h." example:"2h"`
	Sandbox    strictjson.Optional[Nothing]    `json:"sandbox" doc:"An object without fields, which clients of compatible APIs send; faults are set by POST /v1/simulator/{id}/faults."`
}

// ActionBody is a command, and when.
type ActionBody struct {
	Command    strictjson.Optional[string]                  `json:"command" required:"true" example:"charge"`
	Parameters strictjson.Optional[map[string]QuantityBody] `json:"parameters"`
	Start      strictjson.Optional[string]                  `json:"start" doc:"RFC 3339, the site's wall clock as 2026-06-01T22:00:00, or a Go duration from now; at once when absent." example:"30m"`
	End        strictjson.Optional[string]                  `json:"end" doc:"As start: then the device goes back to what it did before." example:"2h"`
}

// PushedAction is a command that was taken.
type PushedAction struct {
	ID         busbar.ActionID    `json:"id" example:"act_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	DeviceID   busbar.DeviceID    `json:"deviceId"`
	DeviceType busbar.Family      `json:"deviceType"`
	Command    string             `json:"command"`
	Parameters Parameters         `json:"parameters"`
	State      busbar.ActionState `json:"state" enum:"scheduled,acknowledged,completed,failed,cancelled"`
	Queued     bool               `json:"queued" doc:"It waits for the end of the one before it."`
	CreatedAt  Time               `json:"createdAt"`
	Start      Time               `json:"start,omitzero"`
	End        Time               `json:"end,omitzero"`
	Replaces   busbar.ActionID    `json:"replaces,omitempty" doc:"The action whose place it took."`
	Links      ActionLinks        `json:"links"`
}

func (a *API) push(ctx context.Context, r *Request, f busbar.Family) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	wanted, err := decodePush(r)
	// Of a family that takes no commands it does not matter what is wrong with this one.
	if tells := busbar.CodeOf(err) == busbar.CodeInvalidJSON || len(f.Spec().Commands) > 0; err != nil && tells {
		return nil, a.aboutDevice(ctx, r.Env, id, f, err)
	}
	act, err := a.Commands.Push(ctx, r.Env, intake.PushRequest{DeviceID: id, Family: f, Push: wanted}, r.Idempotency)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusAccepted, PushedAction{
		ID: act.ID, DeviceID: act.DeviceID, DeviceType: act.Family, Command: act.Command, Parameters: viewParameters(act.Parameters),
		State: act.State, Queued: act.Slot == busbar.SlotQueued, CreatedAt: Time(act.CreatedAt), Start: Time(act.Start), End: Time(act.End),
		Replaces: act.Replaces, Links: a.actionLinks(&act),
	}}, nil
}

// decodePush reads what can be read without knowing the device.
func decodePush(r *Request) (busbar.Push, error) {
	body, err := decode[PushBody](r)
	if err != nil {
		return busbar.Push{}, err
	}
	var p problems
	if !body.Action.Has() {
		return busbar.Push{}, busbar.Invalid("action", "required", "is missing")
	}
	asked := &body.Action.Value
	p.required("action.command", asked.Command, true)
	wanted := busbar.Push{
		Command: shorten(asked.Command.Value), Parameters: p.quantities("action.parameters", asked.Parameters.Value),
		Start: asked.Start.Value, End: asked.End.Value,
		ExpiresIn: p.duration("expiresIn", body.ExpiresIn, busbar.MinExpiresIn, busbar.MaxExpiresIn),
		HoldFor:   p.duration("holdFor", body.HoldFor, 0, busbar.MaxHold),
	}
	p.notEmpty("action.start", asked.Start)
	p.notEmpty("action.end", asked.End)
	if body.OnConflict.Has() {
		if wanted.OnConflict, err = busbar.ParseConflictStrategy(body.OnConflict.Value); err != nil {
			p.add("onConflict", "enum", "%s", shorten(err.Error()))
		}
	}
	return wanted, p.err()
}
