package simulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"busbar"
)

// reading is what a device reports.
type reading struct {
	DeviceID   busbar.DeviceID `json:"deviceId"`
	ObservedAt time.Time       `json:"observedAt"`
	State      busbar.State    `json:"state"`
}

type readings struct {
	Readings []reading `json:"readings"`
}

// report tells Busbar what has changed: connections first, then readings.
func (s *Simulator) report(ctx context.Context) error {
	if err := s.reportConnections(ctx, s.cfg.Now()); err != nil {
		return err
	}
	// A reading was observed after the connection that it came over.
	now := s.cfg.Now().UTC().Truncate(time.Millisecond)
	first, then := s.due(now)
	if len(first) == 0 {
		return errIdle
	}
	if err := s.send(ctx, first); err != nil {
		return err
	}
	s.mu.Lock()
	for _, d := range s.devices {
		d.sent(first, now)
	}
	s.mu.Unlock()
	if len(then) == 0 {
		return nil
	}
	return s.send(ctx, then)
}

// due gathers the readings that are worth sending, and what faults make come after them. It changes nothing that
// would be lost if the sending failed.
func (s *Simulator) due(now time.Time) (first, then []reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now)
	for _, d := range s.devices {
		if d.connection != busbar.Connected {
			continue
		}
		state := s.home.State(d.family)
		if !d.due(state, now) {
			continue
		}
		if _, missing := d.fault(busbar.FaultMissingField, now); missing {
			state = maps.Clone(state)
			delete(state, d.mainField)
		}
		r := reading{DeviceID: d.id, ObservedAt: now, State: state}
		_, late := d.fault(busbar.FaultLate, now)
		if late && d.withheld == nil && !d.told {
			d.withheld = &r
			d.reported, d.reportedAt = state, now
			continue
		}
		first = append(first, r)
		if d.withheld != nil {
			then = append(then, *d.withheld)
		}
		if _, twice := d.fault(busbar.FaultDuplicate, now); twice {
			then = append(then, r)
		}
	}
	return first, then
}

// sent notes what Busbar knows of the device.
func (d *device) sent(batch []reading, now time.Time) {
	for _, r := range batch {
		if r.DeviceID == d.id {
			d.reported, d.reportedAt, d.told, d.withheld = r.State, now, false, nil
		}
	}
}

// reportConnections tells which devices can be reached. Busbar makes events of changes only.
func (s *Simulator) reportConnections(ctx context.Context, now time.Time) error {
	for _, d := range s.devices {
		s.mu.Lock()
		want := connection{Status: busbar.Connected}
		if _, offline := d.fault(busbar.FaultOffline, now); offline {
			want = connection{Status: busbar.Disconnected, Reason: "fault offline"}
		}
		known := d.absent || d.connection == want.Status
		s.mu.Unlock()
		if known {
			continue
		}
		err := s.client.do(ctx, http.MethodPost, "/v1/devices/"+string(d.id)+"/connection", want, nil)
		if answer, ok := errors.AsType[*answerError](err); ok && answer.status == http.StatusNotFound {
			if err = s.missing(ctx, d.id); err == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("report connection of %s: %w", d.id, err)
		}
		s.mu.Lock()
		d.connection = want.Status
		s.mu.Unlock()
	}
	return nil
}

// missing tells a device that someone deleted, which stays away, from a Busbar that has nothing of this home.
func (s *Simulator) missing(ctx context.Context, id busbar.DeviceID) error {
	err := s.client.do(ctx, http.MethodGet, "/v1/sites/"+string(Site), nil, nil)
	if answer, ok := errors.AsType[*answerError](err); ok && answer.status == http.StatusNotFound {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("read site: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		if d.id == id && !d.absent {
			d.begin()
			d.absent = true
			s.cfg.Logger.Info("a simulated device was deleted; it is back when the home starts again", "device_id", string(id))
		}
	}
	return nil
}

// send reports a batch. What is wrong with single readings does not end it.
func (s *Simulator) send(ctx context.Context, batch []reading) error {
	var answers []struct {
		DeviceID busbar.DeviceID `json:"deviceId"`
		Error    *struct {
			Code    busbar.Code `json:"code"`
			Message string      `json:"message"`
		} `json:"error"`
	}
	if err := s.client.do(ctx, http.MethodPost, "/v1/devices/state", readings{batch}, &answers); err != nil {
		return fmt.Errorf("report readings: %w", err)
	}
	for _, a := range answers {
		switch {
		case a.Error == nil:
		case a.Error.Code == busbar.CodeDeviceNotFound || a.Error.Code == busbar.CodeNotFound:
			if err := s.missing(ctx, a.DeviceID); err != nil {
				return err
			}
		default:
			s.cfg.Logger.Warn("a simulated reading was refused", "device_id", string(a.DeviceID), "error", a.Error.Message)
		}
	}
	return nil
}
