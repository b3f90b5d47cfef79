package api

import (
	"busbar"
)

// Action is a command on its way to a device as clients see it.
type Action struct {
	ID         busbar.ActionID    `json:"id" example:"act_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	DeviceID   busbar.DeviceID    `json:"deviceId"`
	DeviceType busbar.Family      `json:"deviceType" enum:"battery,ev_charger,hvac,solar_inverter,vehicle,meter"`
	SiteID     busbar.SiteID      `json:"siteId"`
	Command    string             `json:"command" example:"charge"`
	Parameters Parameters         `json:"parameters"`
	State      busbar.ActionState `json:"state" enum:"scheduled,acknowledged,completed,failed,cancelled"`
	Queued     bool               `json:"queued" doc:"It waits for the end of the one before it."`
	CreatedAt  Time               `json:"createdAt"`
	UpdatedAt  Time               `json:"updatedAt"`
	// Times of what has not happened, or was not asked for, are null.
	AcknowledgedAt *Time                `json:"acknowledgedAt"`
	CompletedAt    *Time                `json:"completedAt"`
	Start          *Time                `json:"start"`
	End            *Time                `json:"end"`
	ExpiresAt      *Time                `json:"expiresAt" doc:"Tries end then; null until it has its turn."`
	HoldFor        string               `json:"holdFor,omitempty" doc:"How long rules are kept off the device; a Go duration."`
	Result         *busbar.ActionResult `json:"result"`
	ErrorCode      *string              `json:"errorCode" doc:"Why it failed, or why the last try did."`
	ErrorMessage   *string              `json:"errorMessage"`
	CancelReason   busbar.CancelReason  `json:"cancelReason,omitempty" enum:"requested,replaced,rule_paused"`
	Replaces       busbar.ActionID      `json:"replaces,omitempty"`
	ReplacedBy     busbar.ActionID      `json:"replacedBy,omitempty"`
	RuleID         string               `json:"ruleId,omitempty"`
	RunID          string               `json:"runId,omitempty"`
	Causation      *Causation           `json:"causation" doc:"null when no event caused it."`
	Links          ActionLinks          `json:"links"`
	Dispatch       *Dispatch            `json:"dispatch,omitempty" doc:"There exactly while a result is awaited of a driver that took the command."`
}

// Parameters are quantities by name.
type Parameters map[string]busbar.Quantity

// ActionLinks lead to where an action can be looked at.
type ActionLinks struct {
	Self     string  `json:"self"`
	Workflow *string `json:"workflow" doc:"In the Temporal UI; null when there is none or its retention is over."`
}

// Dispatch is what a gateway that asks for its commands is to carry out, once for each key.
type Dispatch struct {
	Key        string     `json:"key" doc:"The same for every try: what was carried out under it is not carried out again."`
	Phase      string     `json:"phase" enum:"push,revert"`
	Command    string     `json:"command"`
	Parameters Parameters `json:"parameters"`
	At         Time       `json:"at"`
}

// ActionDetail is an action with its tries.
type ActionDetail struct {
	Action
	Tries []Try `json:"tries"`
}

// Try is one time that a driver was asked.
type Try struct {
	Number     int               `json:"number"`
	Phase      busbar.Phase      `json:"phase" enum:"push,revert,ended" doc:"ended: a result that came too late."`
	At         Time              `json:"at"`
	DurationMs float64           `json:"durationMs"`
	Outcome    busbar.TryOutcome `json:"outcome" enum:"open,accepted,pending,refused,failed,interrupted" doc:"open: under way; pending: the result follows; failed: it is asked again; interrupted: cut off, and whether the device was asked is not known."`
	ErrorCode  string            `json:"errorCode,omitempty"`
	Message    string            `json:"message,omitempty"`
	NextTryAt  Time              `json:"nextTryAt,omitzero"`
}

// viewParameters are those of a command; none are an empty object, as drivers and subscribers get them.
func viewParameters(given map[string]busbar.Quantity) Parameters {
	if given == nil {
		return Parameters{}
	}
	return given
}

func (a *API) actionLinks(act *busbar.Action) ActionLinks {
	l := ActionLinks{Self: a.PublicURL + "/v1/actions/" + string(act.ID)}
	over := a.WorkflowRetention > 0 && !act.CompletedAt.IsZero() && a.Now().Sub(act.CompletedAt) > a.WorkflowRetention
	if url := a.WorkflowURL(act.WorkflowID(), ""); url != "" && !over {
		l.Workflow = &url
	}
	return l
}

func (a *API) viewAction(act *busbar.Action) Action {
	v := Action{
		ID: act.ID, DeviceID: act.DeviceID, DeviceType: act.Family, SiteID: act.SiteID, Command: act.Command,
		Parameters: viewParameters(act.Parameters), State: act.State, Queued: act.Slot == busbar.SlotQueued,
		CreatedAt: Time(act.CreatedAt), UpdatedAt: Time(act.UpdatedAt),
		AcknowledgedAt: optionalTime(act.AcknowledgedAt), CompletedAt: optionalTime(act.CompletedAt),
		Start: optionalTime(act.Start), End: optionalTime(act.End), ExpiresAt: optionalTime(act.ExpiresAt),
		Result: act.Result, ErrorCode: optionalText(act.ErrorCode), ErrorMessage: optionalText(act.ErrorMessage),
		CancelReason: act.CancelReason, Replaces: act.Replaces, ReplacedBy: act.ReplacedBy, RuleID: act.RuleID, RunID: act.RunID,
		Links: a.actionLinks(act), Dispatch: viewDispatch(act),
	}
	if act.HoldFor > 0 {
		v.HoldFor = act.HoldFor.String()
	}
	if act.Causation.RootEventID != "" || act.Causation.ParentID != "" {
		c := viewCausation(&act.Causation)
		v.Causation = &c
	}
	return v
}

func viewDispatch(act *busbar.Action) *Dispatch {
	if !act.Awaiting() {
		return nil
	}
	phase := busbar.PhasePush
	if act.Phase == busbar.PhaseAwaitRevert {
		phase = busbar.PhaseRevert
	}
	told := act.Instruction()
	return &Dispatch{
		Key: act.IdempotencyKey(), Phase: string(phase), Command: told.Command, Parameters: viewParameters(told.Parameters), At: Time(act.UpdatedAt),
	}
}

func viewTry(t *busbar.Try) Try {
	return Try{
		Number: t.Number, Phase: t.Phase, At: Time(t.At), DurationMs: milliseconds(t.Duration), Outcome: t.Outcome,
		ErrorCode: t.ErrorCode, Message: t.Message, NextTryAt: Time(t.NextTryAt),
	}
}
