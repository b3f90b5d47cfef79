package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/webhook"
)

// defaultTimeout bounds one call of a gateway or an API.
const defaultTimeout = 15 * time.Second

// Sender makes one request under the guard of outgoing addresses, bounded in time and size.
type Sender interface {
	Send(ctx context.Context, r webhook.Request) webhook.Result
}

var _ Sender = (*webhook.Client)(nil)

// Config configures New.
type Config struct {
	// Sender makes the requests of the drivers http and amps. Required.
	Sender Sender
	// Offline is asked by the driver simulator. Required.
	Offline Offline
	// Timeout is of one request, connect to last body byte; zero is 15 s. A try makes at most two.
	Timeout time.Duration
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
}

// Drivers has the driver of every kind.
type Drivers struct{ byKind map[busbar.DriverKind]Driver }

// New makes the drivers.
func New(cfg Config) (*Drivers, error) {
	if cfg.Sender == nil || cfg.Offline == nil {
		return nil, errors.New("make drivers: a sender and a source of faults are needed")
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("make drivers: the timeout must not be negative")
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Drivers{map[busbar.DriverKind]Driver{
		busbar.DriverManual:    manual{},
		busbar.DriverSimulator: simulator{cfg.Offline},
		busbar.DriverHTTP:      gateway{cfg.Sender, cfg.Timeout},
		busbar.DriverAmps:      amps{cfg.Sender, cfg.Timeout, cfg.Now},
	}}, nil
}

// Of gives the driver of a kind. It fails for what is no kind, and never otherwise.
func (d *Drivers) Of(kind busbar.DriverKind) (Driver, error) {
	driver, ok := d.byKind[kind]
	if !ok {
		return nil, fmt.Errorf("there is no driver %q", kind)
	}
	return driver, nil
}
