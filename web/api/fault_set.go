package api

import (
	"context"
	"net/http"
	"time"

	"busbar"
	"busbar/web/strictjson"
)

// FaultBody has a simulated device misbehave.
type FaultBody struct {
	Kind  strictjson.Optional[string] `json:"kind" enum:"offline,slow,refuse,revert,duplicate,late,missing_field" required:"true"`
	For   strictjson.Optional[string] `json:"for" doc:"How long; a Go duration of at most 24h, default 10m." example:"10m"`
	Delay strictjson.Optional[string] `json:"delay" doc:"Of slow: how late it confirms; a Go duration of at most 1h, default 30s." example:"30s"`
}

// How long faults last, and slow devices take.
const (
	defaultFault = 10 * time.Minute
	defaultDelay = 30 * time.Second
	minFault     = time.Second
	maxDelay     = time.Hour
)

func (a *API) setFault(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[FaultBody](r)
	if err != nil {
		return nil, err
	}
	id, err := a.simulated(ctx, r)
	if err != nil {
		return nil, err
	}
	f, err := body.fault(a.Now())
	if err != nil {
		return nil, err
	}
	f.Environment, f.DeviceID = r.Env, id
	if err := a.Store.SetFault(ctx, &f); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewFault(&f)}, nil
}

// simulated is the device that the path names, which must be one that can misbehave on request.
func (a *API) simulated(ctx context.Context, r *Request) (busbar.DeviceID, error) {
	id, err := r.deviceID()
	if err != nil {
		return "", err
	}
	d, err := a.Store.Device(ctx, r.Env, id)
	if err != nil {
		return "", err
	}
	if r.Env != busbar.Sandbox || d.Driver.Kind != busbar.DriverSimulator {
		return "", busbar.Invalid("deviceId", "not_simulated", "only sandbox devices with the driver simulator misbehave on request")
	}
	return id, nil
}

func (b *FaultBody) fault(now time.Time) (busbar.Fault, error) {
	var p problems
	f := busbar.Fault{CreatedAt: now}
	p.required("kind", b.Kind, true)
	if b.Kind.Value != "" {
		var err error
		if f.Kind, err = busbar.ParseFaultKind(b.Kind.Value); err != nil {
			p.add("kind", "enum", "%s", shorten(err.Error()))
		}
	}
	last := p.duration("for", b.For, minFault, busbar.MaxFault)
	if !b.For.Has() {
		last = defaultFault
	}
	f.Until = now.Add(last)
	f.Delay = p.duration("delay", b.Delay, 0, maxDelay)
	switch {
	case f.Kind == busbar.FaultSlow && !b.Delay.Has():
		f.Delay = defaultDelay
	case f.Kind != busbar.FaultSlow && b.Delay.Has() && f.Kind != "":
		p.add("delay", "unused", "is for the kind slow only")
	}
	return f, p.err()
}
