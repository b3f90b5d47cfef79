package driver

import (
	"context"
	"fmt"

	"busbar"
)

// Offline tells whether a simulated device is set to be unreachable just now.
type Offline func(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (bool, error)

// simulator drives devices of a simulated home. The home asks for its open commands and reports their results through
// the public API, as a gateway behind a firewall does, so there is nobody to call here.
type simulator struct{ offline Offline }

var _ Driver = simulator{}

// Push leaves the command for the home to fetch.
func (s simulator) Push(ctx context.Context, r Request) (Outcome, error) {
	if ctx.Err() != nil {
		return Outcome{}, interrupted(ctx)
	}
	away, err := s.offline(ctx, r.Environment, r.Device.ID)
	if ctx.Err() != nil {
		return Outcome{}, interrupted(ctx)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("ask for faults of %s: %w", r.Device.ID, err)
	}
	if away {
		return Outcome{}, transient(CodeDeviceOffline, "the simulated device is offline")
	}
	return Pending(""), nil
}
