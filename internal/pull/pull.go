// Package pull reads the devices that do not report by themselves, and feeds what they say to the intake.
package pull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// Source knows which devices are to be read.
type Source interface {
	// ClaimPulls gives devices that are due, and keeps others off them for the lease.
	ClaimPulls(ctx context.Context, limit int, lease time.Duration) ([]store.DeviceRef, error)
	DeviceWithSecret(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (busbar.Device, error)
	// PullAt says when a device is due again; the zero time is never.
	PullAt(ctx context.Context, ref store.DeviceRef, at time.Time) error
}

// Sink takes in what devices say.
type Sink interface {
	Read(ctx context.Context, env busbar.Environment, readings []intake.Reading) ([]intake.ReadingOutcome, error)
	Connect(ctx context.Context, env busbar.Environment, r intake.ConnectionReport) (intake.ConnectionOutcome, error)
}

// Config configures New. All of it is required, but Interval.
type Config struct {
	Source  Source
	Sink    Sink
	Drivers interface {
		Of(kind busbar.DriverKind) (driver.Driver, error)
	}
	// Interval is how often a device is read at the least; zero is 15 minutes. One that counts as silent sooner is read
	// three times before it does.
	Interval time.Duration
	// Random gives numbers in [0,1), to spread devices that began together.
	Random func() float64
	Now    func() time.Time
	Logger *slog.Logger
}

const (
	defaultInterval = 15 * time.Minute
	minInterval     = 5 * time.Second
	// jitter is the part of an interval by which it may be shorter.
	jitter = 0.1
	// lookEvery is how often the database is asked for devices that are due.
	lookEvery = time.Second
	// atOnce bounds the reads under way in a process: an API that hangs takes none of the others' time until it has them all.
	atOnce = 16
	// pullTime bounds one read with what follows from it. It ends long before the lease, so that no two processes ever
	// read a device at the same time.
	pullTime = 45 * time.Second
	lease    = 2 * time.Minute
)

// Puller reads devices. Several processes may: each device is read by one of them at a time.
type Puller struct {
	cfg   Config
	slots chan struct{}
}

// New makes a puller.
func New(cfg Config) (*Puller, error) {
	if cfg.Source == nil || cfg.Sink == nil || cfg.Drivers == nil || cfg.Random == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("make puller: its configuration is incomplete")
	}
	if cfg.Interval < 0 {
		return nil, errors.New("make puller: the interval must not be negative")
	}
	cfg.Interval = cmp.Or(cfg.Interval, defaultInterval)
	return &Puller{cfg: cfg, slots: make(chan struct{}, atOnce)}, nil
}

// Run reads what is due until ctx ends, and waits for the reads under way.
func (p *Puller) Run(ctx context.Context) {
	var pulls sync.WaitGroup
	defer pulls.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := p.Round(ctx, &pulls); err != nil && ctx.Err() == nil {
			p.cfg.Logger.WarnContext(ctx, "could not look for devices to read", "error", err)
		}
	}
}

// Round begins to read as many of the devices that are due as there is room for, as part of the group.
func (p *Puller) Round(ctx context.Context, pulls *sync.WaitGroup) error {
	room := cap(p.slots) - len(p.slots)
	if room == 0 {
		return nil
	}
	refs, err := p.cfg.Source.ClaimPulls(ctx, room, lease)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		// Only this function takes slots, so there is room.
		p.slots <- struct{}{}
		pulls.Go(func() {
			defer func() { <-p.slots }()
			p.pull(ctx, ref)
		})
	}
	return nil
}

// pull reads a device and says when it is due again. One that is cut short is due when its lease ends.
func (p *Puller) pull(ctx context.Context, ref store.DeviceRef) {
	ctx, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	again, err := p.read(ctx, ref)
	if err != nil && ctx.Err() == nil {
		p.cfg.Logger.WarnContext(ctx, "could not read device", "device_id", ref.ID, "environment", ref.Environment, "error", err)
	}
	if errors.Is(err, driver.ErrInterrupted) || busbar.CodeOf(err) == busbar.CodeDeviceNotFound {
		return
	}
	at := time.Time{}
	if again > 0 {
		at = p.cfg.Now().Add(again)
	}
	if err := p.cfg.Source.PullAt(ctx, ref, at); err != nil && ctx.Err() == nil {
		p.cfg.Logger.WarnContext(ctx, "could not say when a device is to be read again", "device_id", ref.ID, "environment", ref.Environment, "error", err)
	}
}

// read reads a device, and gives in how much time it is due again; zero is never.
func (p *Puller) read(ctx context.Context, ref store.DeviceRef) (time.Duration, error) {
	d, err := p.cfg.Source.DeviceWithSecret(ctx, ref.Environment, ref.ID)
	if err != nil {
		return p.cfg.Interval, fmt.Errorf("look up device: %w", err)
	}
	by, err := p.cfg.Drivers.Of(d.Driver.Kind)
	if err != nil {
		return 0, err
	}
	reader, ok := by.(driver.Reader)
	if !ok {
		// Its driver was changed since it became due.
		return 0, nil
	}
	again := p.interval(d.StaleAfter)
	began := p.cfg.Now()
	reading, err := reader.Read(ctx, d)
	if transient, ok := errors.AsType[*driver.Error](err); ok {
		again = max(again, transient.RetryAfter)
	}
	if err != nil {
		return again, fmt.Errorf("ask its driver: %w", err)
	}
	return again, p.tell(ctx, &d, &reading, began)
}

// interval is how long after a read the next is due.
func (p *Puller) interval(staleAfter time.Duration) time.Duration {
	const readsUntilStale = 3
	every := max(min(p.cfg.Interval, staleAfter/readsUntilStale), minInterval)
	return time.Duration(float64(every) * (1 - jitter*p.cfg.Random()))
}

// tell passes on what is news. A device that is connected is so before it says anything, one that is not has said what it
// had to say.
func (p *Puller) tell(ctx context.Context, d *busbar.Device, r *driver.Reading, began time.Time) error {
	if r.Connection == busbar.Connected {
		if err := p.connect(ctx, d, r); err != nil {
			return err
		}
	}
	if at := cmp.Or(r.ObservedAt, began); worth(d, r, at) {
		outcomes, err := p.cfg.Sink.Read(ctx, d.Environment, []intake.Reading{{DeviceID: d.ID, ObservedAt: at, State: r.State}})
		if err != nil {
			return fmt.Errorf("take in reading: %w", err)
		}
		if refused := outcomes[0].Err; refused != nil {
			return fmt.Errorf("take in reading: %w", refused)
		}
	}
	if r.Connection == busbar.Disconnected {
		return p.connect(ctx, d, r)
	}
	return nil
}

// worth reports whether a reading says something. What the other side only remembers and was told before does not: the
// device would never be noticed to be silent. What it vouches for does, even if nothing has changed.
func worth(d *busbar.Device, r *driver.Reading, at time.Time) bool {
	if len(r.State) == 0 || at.Before(d.StateAt) {
		return false
	}
	return r.Current || at.After(d.StateAt)
}

func (p *Puller) connect(ctx context.Context, d *busbar.Device, r *driver.Reading) error {
	if d.Connection == r.Connection {
		return nil
	}
	_, err := p.cfg.Sink.Connect(ctx, d.Environment, intake.ConnectionReport{DeviceID: d.ID, Status: r.Connection, Reason: r.Reason})
	if err != nil {
		return fmt.Errorf("take in connection: %w", err)
	}
	return nil
}
