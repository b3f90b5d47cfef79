package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/intake"
	"busbar/web/strictjson"
)

// AcceptedEvent is what became of an event that was offered, or why it was refused.
type AcceptedEvent struct {
	EventID    busbar.EventID      `json:"eventId,omitempty" example:"evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	Status     busbar.IngestStatus `json:"status,omitempty" enum:"accepted,duplicate"`
	WorkflowID string              `json:"workflowId,omitempty" example:"event-sandbox-evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	Error      *Failure            `json:"error,omitempty" doc:"In a batch: why this one was refused."`
}

// createEvents takes one event or an array of them.
func (a *API) createEvents(ctx context.Context, r *Request) (*Reply, error) {
	if err := strictjson.Check(r.Body); err != nil {
		return nil, err
	}
	switch kind := strictjson.KindOf(r.Body); kind {
	case "an object":
		return a.createEvent(ctx, r)
	case "an array":
		return a.createBatch(ctx, r)
	default:
		return nil, busbar.Invalid("body", "type", "must be an event or an array of events, not %s", kind)
	}
}

func (a *API) createEvent(ctx context.Context, r *Request) (*Reply, error) {
	event, err := a.checkEvent(ctx, r.Env, r.Body)
	if err != nil {
		return nil, err
	}
	outcomes, err := a.Intake.Accept(ctx, r.Env, []intake.Candidate{{Event: event}}, r.Idempotency)
	if err != nil {
		return nil, err
	}
	if outcomes[0].Err != nil {
		return nil, outcomes[0].Err
	}
	return &Reply{http.StatusAccepted, accepted(outcomes[0])}, nil
}

func (a *API) createBatch(ctx context.Context, r *Request) (*Reply, error) {
	var candidates []intake.Candidate
	for item := range strictjson.Elements(r.Body) {
		if len(candidates) == busbar.MaxBatch {
			return nil, busbar.Invalid("body", "too_many", "must have at most %d events", busbar.MaxBatch)
		}
		event, err := a.checkEvent(ctx, r.Env, item)
		c := intake.Candidate{Event: event}
		if err != nil {
			refused, ok := refusal(err)
			if !ok {
				return nil, err
			}
			c = intake.Candidate{Err: refused}
		}
		candidates = append(candidates, c)
	}
	if len(candidates) == 0 {
		return nil, busbar.Invalid("body", "too_few", "must have at least one event")
	}
	outcomes, err := a.Intake.Accept(ctx, r.Env, candidates, r.Idempotency)
	if err != nil {
		return nil, err
	}
	answer := make([]AcceptedEvent, len(outcomes))
	for i, o := range outcomes {
		answer[i] = accepted(o)
	}
	return &Reply{http.StatusAccepted, answer}, nil
}

func accepted(o intake.Outcome) AcceptedEvent {
	if o.Err != nil {
		f := render(o.Err)
		return AcceptedEvent{Error: &f}
	}
	return AcceptedEvent{EventID: o.EventID, Status: o.Status, WorkflowID: o.WorkflowID}
}
