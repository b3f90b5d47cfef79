package api

import (
	"encoding/json"

	"busbar"
)

// Event is an event as clients see it.
type Event struct {
	ID         busbar.EventID     `json:"id" example:"evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	Type       string             `json:"type" example:"device.updated"`
	DeviceID   busbar.DeviceID    `json:"deviceId,omitempty"`
	SiteID     busbar.SiteID      `json:"siteId,omitempty"`
	Seq        int64              `json:"seq,omitempty" doc:"Its place in the history of its site; absent when it has none."`
	Timestamp  Time               `json:"timestamp" doc:"When it happened."`
	ReceivedAt Time               `json:"receivedAt"`
	Data       json.RawMessage    `json:"data"`
	Flags      []busbar.EventFlag `json:"flags" doc:"timestamp_clamped, unknown_device, late, test."`
}

// EventDetail is an event with what came of it.
type EventDetail struct {
	Event
	Deliveries []Delivery `json:"deliveries"`
	Runs       []Run      `json:"runs"`
	Causation  Causation  `json:"causation"`
	Temporal   Workflow   `json:"temporal"`
}

// Causation says what an event follows from.
type Causation struct {
	RootEventID busbar.EventID `json:"rootEventId" doc:"The first event of the chain; of an event that nothing caused, the event itself."`
	ParentID    *string        `json:"parentId" doc:"What it follows from; null when nothing caused it."`
	RuleID      string         `json:"ruleId,omitempty"`
	ActionID    string         `json:"actionId,omitempty"`
	Depth       int            `json:"depth"`
	Inferred    bool           `json:"inferred"`
}

func viewCausation(c *busbar.Causation) Causation {
	v := Causation{RootEventID: c.RootEventID, RuleID: c.RuleID, ActionID: c.ActionID, Depth: c.Depth, Inferred: c.Inferred}
	if c.ParentID != "" {
		v.ParentID = &c.ParentID
	}
	return v
}

// Workflow says where a workflow can be looked at.
type Workflow struct {
	WorkflowID string  `json:"workflowId"`
	RunID      *string `json:"runId" doc:"null is the newest run."`
	URL        *string `json:"url" doc:"In the Temporal UI; null when there is none or its retention is over."`
}

func viewEvent(e *busbar.Event) Event {
	v := Event{
		ID: e.ID, Type: e.Type, DeviceID: e.DeviceID, SiteID: e.SiteID, Seq: e.Seq,
		Timestamp: Time(e.Timestamp), ReceivedAt: Time(e.ReceivedAt), Data: e.Data, Flags: e.Flags,
	}
	if v.Flags == nil {
		v.Flags = []busbar.EventFlag{}
	}
	return v
}

func (a *API) workflow(e *busbar.Event) Workflow {
	w := Workflow{WorkflowID: e.WorkflowID()}
	over := a.WorkflowRetention > 0 && a.Now().Sub(e.ReceivedAt) > a.WorkflowRetention
	if url := a.WorkflowURL(w.WorkflowID, ""); url != "" && !over {
		w.URL = &url
	}
	return w
}
