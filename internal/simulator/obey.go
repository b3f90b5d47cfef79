package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"busbar"
)

const (
	// mostPages bounds one look at the open actions; what lies behind is seen when those before are done.
	mostPages = 10
	pageSize  = "200"
	// comebackAfter is how long a command lasts under the fault revert.
	comebackAfter = 10 * time.Second
)

// action is an open action of the API, with what is to be carried out of it.
type action struct {
	ID       busbar.ActionID `json:"id"`
	DeviceID busbar.DeviceID `json:"deviceId"`
	Dispatch *dispatch       `json:"dispatch"`
}

type dispatch struct {
	Key string `json:"key"`
	busbar.Instruction
}

type actions struct {
	Items      []action `json:"items"`
	NextCursor *string  `json:"nextCursor"`
}

// obey asks for commands, carries out those that are new, and reports outcomes.
func (s *Simulator) obey(ctx context.Context) error {
	s.comeBack(s.cfg.Now())
	query := url.Values{"state": {string(busbar.ActionAcknowledged)}, "limit": {pageSize}}
	for range mostPages {
		var page actions
		if err := s.client.do(ctx, http.MethodGet, "/v1/actions?"+query.Encode(), nil, &page); err != nil {
			return fmt.Errorf("ask for commands: %w", err)
		}
		for _, a := range page.Items {
			s.take(a, s.cfg.Now())
		}
		if page.NextCursor == nil {
			break
		}
		query.Set("cursor", *page.NextCursor)
	}
	return s.reportResults(ctx)
}

// take carries a command out, if it was not yet.
func (s *Simulator) take(a action, now time.Time) {
	if a.Dispatch == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.device(a.DeviceID)
	if d == nil {
		return
	}
	if _, offline := d.fault(busbar.FaultOffline, now); offline {
		return
	}
	if done, ok := s.orders.byKey[a.Dispatch.Key]; ok {
		if done.reported && done.due.IsZero() {
			done.due = now.Add(askAgain)
		}
		return
	}
	o := &order{key: a.Dispatch.Key, actionID: a.ID, due: now}
	o.result = s.carryOut(d, a.Dispatch.Instruction, now)
	o.result.Key = o.key
	if slow, ok := d.fault(busbar.FaultSlow, now); ok {
		o.due = now.Add(slow.delay)
	}
	_, o.twice = d.fault(busbar.FaultDuplicate, now)
	s.orders.add(o)
	s.cfg.Logger.Debug("the simulated home has a command", "action_id", string(a.ID), "device_id", string(a.DeviceID),
		"command", a.Dispatch.Command, "success", o.result.Success)
}

// carryOut has the physics do it. The caller holds mu.
func (s *Simulator) carryOut(d *device, c busbar.Instruction, now time.Time) result {
	if _, refuses := d.fault(busbar.FaultRefuse, now); refuses {
		return result{Message: "the simulated device refuses, as it was told to", ErrorCode: codeRefused}
	}
	s.advance(now)
	before := s.home.Control()
	if err := s.home.Do(d.family, c); err != nil {
		return result{Message: err.Error(), ErrorCode: busbar.CodeOf(err)}
	}
	d.told = true
	delete(s.returns, d.id)
	if _, reverts := d.fault(busbar.FaultRevert, now); reverts {
		s.returns[d.id] = comeback{at: now.Add(comebackAfter), to: before}
	}
	return result{Success: true, Message: fmt.Sprintf("%s has taken %s", d.name, c.Command)}
}

// codeRefused is how a device that refuses says so.
const codeRefused busbar.Code = "REFUSED"

// comeBack has devices go back that a fault tells to.
func (s *Simulator) comeBack(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, back := range s.returns {
		if now.Before(back.at) {
			continue
		}
		d := s.device(id)
		s.advance(now)
		s.home.GoBack(d.family, back.to)
		d.told = true
		delete(s.returns, id)
	}
}

// device finds one of the home's. The caller holds mu.
func (s *Simulator) device(id busbar.DeviceID) *device {
	for _, d := range s.devices {
		if d.id == id {
			return d
		}
	}
	return nil
}

// reportResults tells Busbar how commands ended. One that it cannot take is not told again.
func (s *Simulator) reportResults(ctx context.Context) error {
	s.mu.Lock()
	due := s.orders.due(s.cfg.Now())
	s.mu.Unlock()
	for _, o := range due {
		times := 1
		if o.twice && !o.reported {
			times = 2
		}
		for range times {
			err := s.client.do(ctx, http.MethodPost, "/v1/actions/"+string(o.actionID)+"/result", o.result, nil)
			if answer, ok := errors.AsType[*answerError](err); ok && answer.final() {
				// The action has ended, or was deleted, meanwhile.
				s.cfg.Logger.Debug("a result of the simulated home was not taken", "action_id", string(o.actionID), "error", err.Error())
				err = nil
			}
			if err != nil {
				return fmt.Errorf("report result: %w", err)
			}
		}
		s.mu.Lock()
		if n, ok := s.orders.byKey[o.key]; ok {
			n.due, n.reported = time.Time{}, true
		}
		s.mu.Unlock()
	}
	return nil
}
