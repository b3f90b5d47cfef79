package driver

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"time"

	"busbar"
)

// ampsPush is the body of a push. It has no key that the API does not document: it refuses those.
type ampsPush struct {
	Action     busbar.Instruction      `json:"action"`
	OnConflict busbar.ConflictStrategy `json:"onConflict"`
}

// Push gives the command to the API, unless an earlier try has done so already.
//
// It always asks to replace: Busbar has settled the conflicts between its own commands before it gets here, the API takes
// back only what has not begun, and without it one command that is scheduled there for next month, or a schedule of the
// device itself, would stand in the way of everything until then.
func (a amps) Push(ctx context.Context, r Request) (Outcome, error) {
	key := r.IdempotencyKey
	if !r.FirstTryAt.IsZero() {
		left, err := a.leftBehind(ctx, &r)
		switch {
		case err != nil:
			return outcomeOf(err)
		case left.State == busbar.ActionFailed:
			// It is known to have had no effect. An API that knows the key would only tell so again.
			key += "-after-" + left.ID
		case left.ID != "":
			return left.outcome()
		}
	}
	reply, err := a.call(ctx, r.Environment, r.Device.Driver, ampsCall{
		method: http.MethodPost, path: []string{r.Device.Family.Segment(), r.Device.Driver.DeviceID}, key: key,
		body: ampsPush{r.Instruction, busbar.CancelAndReplace},
	})
	if err != nil {
		return outcomeOf(err)
	}
	return reply.action()
}

// Poll asks what became of an action.
func (a amps) Poll(ctx context.Context, r Request, remote string) (Outcome, error) {
	reply, err := a.call(ctx, r.Environment, r.Device.Driver, ampsCall{method: http.MethodGet, path: []string{"actions", remote}})
	if err != nil {
		return outcomeOf(err)
	}
	outcome, err := reply.action()
	if e, ok := errors.AsType[*Error](err); ok {
		e.Over = true
	}
	return outcome, err
}

// ampsAction is how an action of the API stands.
type ampsAction struct {
	ID     string             `json:"id"`
	State  busbar.ActionState `json:"state"`
	Result *struct {
		Message string `json:"message"`
	} `json:"result"`
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
}

// action reads how an action stands from an answer.
func (r *ampsReply) action() (Outcome, error) {
	var a ampsAction
	if err := r.into(&a); err != nil {
		return outcomeOf(err)
	}
	return a.outcome()
}

func (a *ampsAction) outcome() (Outcome, error) {
	switch a.State {
	case busbar.ActionCompleted:
		if a.Result == nil {
			return Accepted(""), nil
		}
		return Accepted(clip(a.Result.Message, maxMessage)), nil
	case busbar.ActionFailed:
		return outcomeOf(ampsError(0, a.ErrorCode, a.ErrorMessage, 0))
	case busbar.ActionCancelled:
		return Refused(CodeCancelled, "the command was cancelled at the API, or another took its place"), nil
	case busbar.ActionScheduled, busbar.ActionAcknowledged:
	}
	// States that came later than this program are taken for steps on the way: the action's own expiry ends the waiting.
	if a.State == "" || !ampsName.MatchString(a.ID) {
		return Refused(CodeGatewayError, "the API answered with an action that has no usable id or state"), nil
	}
	return Pending(a.ID), nil
}

// ampsCommand is what tells whether an action is one of ours.
type ampsCommand struct {
	ampsAction
	DeviceID   string                     `json:"deviceId"`
	Command    string                     `json:"command"`
	Parameters map[string]busbar.Quantity `json:"parameters"`
	CreatedAt  time.Time                  `json:"createdAt"`
}

// clockSlack is what the clocks of the API's own machines may differ by.
const clockSlack = 2 * time.Second

// leftBehind finds what an earlier try of the same request has left at the API: the newest action that asks for the same
// and is not older than the first try, one that has not failed before one that has. Its id is empty when there is none.
// Somebody else's action that asks for the same is as good: the device was told to do it, since we first wanted it to.
func (a amps) leftBehind(ctx context.Context, r *Request) (ampsAction, error) {
	reply, err := a.call(ctx, r.Environment, r.Device.Driver, ampsCall{
		method: http.MethodGet, path: []string{"actions"},
		query: url.Values{"deviceId": {r.Device.Driver.DeviceID}, "limit": {maxAmpsPage}},
	})
	if err != nil {
		return ampsAction{}, err
	}
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := reply.into(&page); err != nil {
		return ampsAction{}, err
	}
	// By the API's clock, because its actions are. What the answer took to arrive only makes it earlier.
	now := a.now()
	since := reply.clock(now).Add(-now.Sub(r.FirstTryAt) - clockSlack)
	var failed ampsAction
	for _, item := range page.Items {
		var c ampsCommand
		// What cannot be read was not asked for by us.
		if json.Unmarshal(item, &c) != nil || !ampsName.MatchString(c.ID) || !c.asks(r) || c.CreatedAt.Before(since) {
			continue
		}
		if c.State != busbar.ActionFailed {
			return c.ampsAction, nil
		}
		if failed.ID == "" {
			failed = c.ampsAction
		}
	}
	return failed, nil
}

// asks reports whether an action asks for the same as a request, in whatever unit.
func (c *ampsCommand) asks(r *Request) bool {
	if c.DeviceID != r.Device.Driver.DeviceID || c.Command != r.Instruction.Command || len(c.Parameters) != len(r.Instruction.Parameters) {
		return false
	}
	for name, wanted := range r.Instruction.Parameters {
		given, ok := c.Parameters[name].In(wanted.Unit)
		if !ok || math.Abs(given.Value-wanted.Value) > 1e-6 {
			return false
		}
	}
	return true
}
