package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
	"busbar/web/strictjson"
)

// ExplainRequest is a rule and an event that has happened.
type ExplainRequest struct {
	Rule    strictjson.Optional[json.RawMessage] `json:"rule" required:"true" doc:"A rule, as for POST /v1/rules/check."`
	EventID strictjson.Optional[string]          `json:"eventId" required:"true"`
}

// RuleExplanation is what a rule makes of an event, whatever its edge, hold, cooldown and window are.
type RuleExplanation struct {
	EventID busbar.EventID `json:"eventId"`
	Clauses []rules.Clause `json:"clauses" doc:"The whole condition and its parts, each evaluated on its own."`
	Steps   []PlannedStep  `json:"steps" doc:"What each step of then would do now, as if the condition were true."`
}

// PlannedStep is what a step would do.
type PlannedStep struct {
	RunPlan
	Targets []rules.Target  `json:"targets" doc:"The devices that it thought of, and why each was taken or not."`
	Unknown []rules.Unknown `json:"unknown,omitempty"`
	LeftOut []rules.Unknown `json:"leftOut,omitempty"`
	Error   string          `json:"error,omitempty"`
}

func (a *API) explainRule(ctx context.Context, r *Request) (*Reply, error) {
	var body ExplainRequest
	if err := strictjson.Decode(r.Body, &body); err != nil {
		return nil, err
	}
	var p problems
	if !body.Rule.Has() {
		p.add("rule", "required", "is missing")
	}
	if body.EventID.Value == "" {
		p.add("eventId", "required", "is missing")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	rule, err := rules.ParseJSON(body.Rule.Value)
	if err != nil {
		return nil, within("rule", err)
	}
	compiled, err := rules.Compile(rule)
	if err != nil {
		return nil, err
	}
	event, err := a.Store.Event(ctx, r.Env, busbar.EventID(body.EventID.Value))
	if err != nil {
		return nil, err
	}
	snapshot, err := a.snapshotAt(ctx, &event)
	if err != nil {
		return nil, err
	}
	explained, err := compiled.Explain(snapshot, &event, a.Now())
	if err != nil {
		return nil, err
	}
	v := RuleExplanation{EventID: event.ID, Clauses: explained.Clauses, Steps: make([]PlannedStep, len(explained.Steps))}
	for i := range explained.Steps {
		s := &explained.Steps[i]
		v.Steps[i] = PlannedStep{*viewPlan(s), append([]rules.Target{}, s.Targets...), s.Unknown, s.LeftOut, s.Error}
	}
	return &Reply{http.StatusOK, v}, nil
}

// snapshotAt is the site of an event as it is now, but for the event's own device, which is as the event says.
func (a *API) snapshotAt(ctx context.Context, e *busbar.Event) (*rules.Snapshot, error) {
	s := &rules.Snapshot{Environment: e.Environment, Open: make(map[busbar.DeviceID]rules.OpenAction)}
	if e.SiteID == "" {
		return s, nil
	}
	site, err := a.Store.Site(ctx, e.Environment, e.SiteID)
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.Site = &site
	devices, err := a.Store.DevicesOfSite(ctx, e.Environment, e.SiteID)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(devices, func(a, b busbar.Device) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i := range devices {
		d := &devices[i]
		if d.ID == e.DeviceID {
			if s.Before, err = rules.Rewind(d, e); err != nil {
				return nil, err
			}
		}
		s.Devices = append(s.Devices, d)
	}
	return s, a.addOpen(ctx, s)
}

// addOpen puts the open commands of a site's devices into a snapshot: they may keep a rule off a device.
func (a *API) addOpen(ctx context.Context, s *rules.Snapshot) error {
	for _, state := range []busbar.ActionState{busbar.ActionScheduled, busbar.ActionAcknowledged} {
		filter := store.ActionFilter{SiteID: s.Site.ID, State: state}
		open, err := a.Store.Actions(ctx, s.Environment, filter, busbar.PageRequest{Limit: busbar.MaxPageSize})
		if err != nil {
			return err
		}
		for i := range open.Items {
			if act := &open.Items[i]; act.Slot == busbar.SlotCurrent {
				s.Open[act.DeviceID] = rules.OpenAction{ActionID: act.ID, RuleID: act.RuleID, Priority: act.Priority}
			}
		}
	}
	return nil
}
