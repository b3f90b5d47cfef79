package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"busbar"
)

// readFaults learns how devices shall misbehave.
func (s *Simulator) readFaults(ctx context.Context) error {
	var list struct {
		Items []struct {
			DeviceID busbar.DeviceID  `json:"deviceId"`
			Kind     busbar.FaultKind `json:"kind"`
			Until    time.Time        `json:"until"`
			// Delay is a Go duration.
			Delay string `json:"delay"`
		} `json:"items"`
	}
	err := s.client.do(ctx, http.MethodGet, "/v1/simulator/faults", nil, &list)
	if answer, ok := errors.AsType[*answerError](err); ok && answer.status == http.StatusNotFound {
		// A compatible API without faults.
		err = nil
	}
	if err != nil {
		return fmt.Errorf("read faults: %w", err)
	}
	faults := make(map[busbar.DeviceID]map[busbar.FaultKind]fault)
	for _, f := range list.Items {
		delay, err := time.ParseDuration(f.Delay)
		if err != nil {
			delay = 0
		}
		if faults[f.DeviceID] == nil {
			faults[f.DeviceID] = make(map[busbar.FaultKind]fault)
		}
		faults[f.DeviceID][f.Kind] = fault{until: f.Until, delay: delay}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.devices {
		d.faults = faults[d.id]
	}
	return nil
}
