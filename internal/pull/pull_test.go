package pull_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/intake"
	"busbar/internal/keyring"
	"busbar/internal/pgtest"
	"busbar/internal/pull"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/rules"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// scripted is a driver whose devices say what the test has them say.
type scripted struct {
	driver.Driver
	mu     sync.Mutex
	says   driver.Reading
	err    error
	hangs  chan struct{}
	reads  int
	secret string
}

func (s *scripted) Read(ctx context.Context, d busbar.Device) (driver.Reading, error) {
	s.mu.Lock()
	s.reads++
	s.secret = d.Driver.Secret
	says, err, hangs := s.says, s.err, s.hangs
	s.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-ctx.Done():
			return driver.Reading{}, driver.ErrInterrupted
		}
	}
	return says, err
}

func (s *scripted) say(r driver.Reading, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says, s.err = r, err
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// only has one driver for all kinds.
type only struct{ driver.Driver }

func (o only) Of(busbar.DriverKind) (driver.Driver, error) { return o.Driver, nil }

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type uncounted struct{}

func (uncounted) Event(busbar.Environment, busbar.IngestStatus) {}
func (uncounted) Refused(busbar.Environment)                    {}
func (uncounted) Reading(busbar.Environment, string)            {}
func (uncounted) Decision(busbar.Environment, rules.Decision)   {}
func (uncounted) Action(busbar.Environment, busbar.ActionState) {}

// bed is a store with one device that is to be read, and what feeds it.
type bed struct {
	*store.Store
	clock  *clock
	intake *intake.Intake
	driver *scripted
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eachDatabase(t *testing.T, test func(t *testing.T, b *bed)) {
	t.Helper()
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "" },
		"postgres": func() string { return storetest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newBed(t, url()))
		})
	}
}

func newBed(t *testing.T, url string) *bed {
	t.Helper()
	key, err := keyring.Generate()
	must(t, err)
	ring, err := keyring.Parse(key)
	must(t, err)
	b := &bed{clock: &clock{at: time.Now().UTC().Truncate(time.Millisecond)}, driver: &scripted{}}
	b.Store, err = store.Open(t.Context(), store.Config{URL: url, Path: storetest.SQLite(t), Keyring: ring, Now: b.clock.now})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	logger := slog.New(slog.DiscardHandler)
	starter := intake.NewStarter(intake.StarterConfig{
		Store: b.Store, Start: func(context.Context, intake.Start) error { return nil }, Workers: 1, Now: b.clock.now, Logger: logger,
	})
	t.Cleanup(starter.Close)
	b.intake, err = intake.New(intake.Config{
		Store: b.Store, Starter: starter, Quick: func(busbar.EndpointID) bool { return true },
		AttemptTime: time.Minute, Lanes: 1, Now: b.clock.now, Logger: logger, Observer: uncounted{},
	})
	must(t, err)
	t.Cleanup(b.intake.Close)
	_, err = b.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, errors.Join(
			tx.CreateSite(&busbar.Site{ID: "site_home", Environment: busbar.Live, Name: "Home", Timezone: "Europe/Berlin"}),
			tx.CreateDevice(&busbar.Device{
				ID: "dev_battery", Environment: busbar.Live, Family: busbar.Battery, SiteID: "site_home", StaleAfter: 15 * time.Minute,
				Connection: busbar.Disconnected, Driver: busbar.Driver{Kind: busbar.DriverAmps, URL: "https://api.example.com", DeviceID: "d", Secret: "hush"},
			}))
	})
	must(t, err)
	return b
}

func (b *bed) puller(t *testing.T) *pull.Puller {
	t.Helper()
	p, err := pull.New(pull.Config{
		Source: b.Store, Sink: b.intake, Drivers: only{b.driver}, Random: func() float64 { return 0 }, Now: b.clock.now,
		Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	return p
}

func (b *bed) round(t *testing.T, p *pull.Puller) {
	t.Helper()
	var pulls sync.WaitGroup
	must(t, p.Round(t.Context(), &pulls))
	pulls.Wait()
}

func (b *bed) device(t *testing.T) busbar.Device {
	t.Helper()
	d, err := b.Device(t.Context(), busbar.Live, "dev_battery")
	must(t, err)
	return d
}

// events are the types of all events, oldest first.
func (b *bed) events(t *testing.T) []string {
	t.Helper()
	page, err := b.Events(t.Context(), busbar.Live, store.EventFilter{}, busbar.PageRequest{Limit: 100})
	must(t, err)
	types := make([]string, len(page.Items))
	for i, e := range page.Items {
		types[len(types)-1-i] = e.Type
	}
	return types
}

func charging(at time.Time, level float64) driver.Reading {
	return driver.Reading{
		State: busbar.State{"level": level, "status": "charging"}, ObservedAt: at, Current: true, Connection: busbar.Connected,
	}
}

func TestDeviceIsReadThreeTimesBeforeItIsStale(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bed) {
		p := b.puller(t)
		b.driver.say(charging(b.clock.now(), 67), nil)
		b.round(t, p)
		d := b.device(t)
		if d.State["level"] != 67.0 || d.Connection != busbar.Connected || !d.Synced() || b.driver.secret != "hush" {
			t.Errorf("device is %+v, read with the secret %q", d, b.driver.secret)
		}
		for range 3 {
			b.clock.advance(5*time.Minute - time.Second)
			b.round(t, p)
			b.clock.advance(time.Second)
			reads := b.driver.count()
			b.round(t, p)
			if b.driver.count() != reads+1 {
				t.Fatalf("%d reads, want %d", b.driver.count(), reads+1)
			}
		}
		if n := b.driver.count(); n != 4 {
			t.Errorf("%d reads, want one every 5 minutes: 4", n)
		}
		// The other side vouches for what it has said before: the device is not silent.
		if d := b.device(t); !d.ReportedAt.Equal(b.clock.now()) {
			t.Errorf("last report at %s, want %s", d.ReportedAt, b.clock.now())
		}
		if diff := cmp.Diff([]string{"device.connected", "device.updated"}, b.events(t)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// An API that answers with what it remembers would otherwise hide that the device is silent.
func TestRememberedReadingIsNoSignOfLife(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bed) {
		p := b.puller(t)
		first := b.clock.now()
		remembered := charging(first, 67)
		remembered.Current, remembered.Connection = false, ""
		b.driver.say(remembered, nil)
		b.round(t, p)
		if d := b.device(t); d.State["level"] != 67.0 || d.Connection != busbar.Disconnected {
			t.Errorf("what is new is taken in: %+v", d)
		}
		b.clock.advance(5 * time.Minute)
		b.round(t, p)
		if d := b.device(t); !d.ReportedAt.Equal(first) || b.driver.count() != 2 {
			t.Errorf("last report at %s after %d reads, want %s after 2", d.ReportedAt, b.driver.count(), first)
		}
	})
}

func TestDeviceThatIsLostIsDisconnectedOnce(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bed) {
		p := b.puller(t)
		b.driver.say(charging(b.clock.now(), 67), nil)
		b.round(t, p)
		b.driver.say(driver.Reading{Connection: busbar.Disconnected, Reason: "MFA_REQUIRED"}, nil)
		for range 2 {
			b.clock.advance(5 * time.Minute)
			b.round(t, p)
		}
		b.driver.say(charging(b.clock.now(), 68), nil)
		b.clock.advance(5 * time.Minute)
		b.round(t, p)
		want := []string{"device.connected", "device.updated", "device.disconnected", "device.reconnected", "device.updated"}
		if diff := cmp.Diff(want, b.events(t)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestAPIThatAsksForPeaceGetsIt(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bed) {
		p := b.puller(t)
		b.driver.say(driver.Reading{}, &driver.Error{Code: driver.CodeRateLimited, Message: "later", RetryAfter: time.Hour})
		b.round(t, p)
		b.clock.advance(time.Hour - time.Second)
		b.round(t, p)
		if b.driver.count() != 1 {
			t.Errorf("%d reads within the hour", b.driver.count())
		}
		b.clock.advance(time.Second)
		b.driver.say(driver.Reading{}, &driver.RefusedError{Code: "INVALID_API_KEY", Message: "no"})
		b.round(t, p)
		b.clock.advance(5 * time.Minute)
		b.round(t, p)
		if b.driver.count() != 3 {
			t.Errorf("%d reads, want 3: a key may be mended", b.driver.count())
		}
		if d := b.device(t); len(b.events(t)) != 0 || len(d.State) != 0 {
			t.Errorf("a failed read says nothing about the device: %v, %+v", b.events(t), d.State)
		}
	})
}

func TestTwoProcessesNeverReadADeviceAtOnce(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bed) {
		b.driver.hangs = make(chan struct{})
		b.driver.say(charging(b.clock.now(), 67), nil)
		var pulls sync.WaitGroup
		var claimed sync.WaitGroup
		for range 4 {
			p := b.puller(t)
			claimed.Go(func() {
				if err := p.Round(t.Context(), &pulls); err != nil {
					t.Errorf("round: %v", err)
				}
			})
		}
		claimed.Wait()
		close(b.driver.hangs)
		pulls.Wait()
		if b.driver.count() != 1 {
			t.Errorf("%d reads, want 1", b.driver.count())
		}
	})
}

// A process that is killed while it reads leaves the device to the others.
func TestReadThatWasCutShortIsDueAgain(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, b *bed) {
		b.driver.hangs = make(chan struct{})
		ctx, kill := context.WithCancel(t.Context())
		var pulls sync.WaitGroup
		must(t, b.puller(t).Round(ctx, &pulls))
		kill()
		pulls.Wait()
		b.driver.hangs = nil
		b.driver.say(charging(b.clock.now(), 67), nil)
		before := b.driver.count()
		b.round(t, b.puller(t))
		if b.driver.count() != before {
			t.Error("read within the lease")
		}
		b.clock.advance(2 * time.Minute)
		b.round(t, b.puller(t))
		if d := b.device(t); d.State["level"] != 67.0 {
			t.Errorf("state is %v", d.State)
		}
	})
}

func TestDeviceThatReportsByItselfIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBed(t, "")
	drivers, err := driver.New(driver.Config{
		Sender:  noSender{},
		Offline: func(context.Context, busbar.Environment, busbar.DeviceID) (bool, error) { return false, nil },
	})
	must(t, err)
	manual, err := drivers.Of(busbar.DriverManual)
	must(t, err)
	p, err := pull.New(pull.Config{
		Source: b.Store, Sink: b.intake, Drivers: only{manual}, Random: func() float64 { return 0 }, Now: b.clock.now,
		Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	b.round(t, p)
	b.clock.advance(24 * time.Hour)
	due, err := b.ClaimPulls(t.Context(), 10, time.Minute)
	if err != nil || len(due) != 0 {
		t.Errorf("due are %v, %v", due, err)
	}
}

type noSender struct{ driver.Sender }

// due gives a device each time that it is asked.
type due struct{ ends chan time.Time }

func (d due) ClaimPulls(_ context.Context, limit int, _ time.Duration) ([]store.DeviceRef, error) {
	refs := make([]store.DeviceRef, limit)
	for i := range refs {
		refs[i] = store.DeviceRef{Environment: busbar.Live, ID: "dev_1"}
	}
	return refs, nil
}

func (due) DeviceWithSecret(context.Context, busbar.Environment, busbar.DeviceID) (busbar.Device, error) {
	return busbar.Device{ID: "dev_1", Environment: busbar.Live, Family: busbar.Battery, StaleAfter: 15 * time.Minute}, nil
}

func (d due) PullAt(_ context.Context, _ store.DeviceRef, at time.Time) error {
	d.ends <- at
	return nil
}

type nowhere struct{ pull.Sink }

// However many devices are due and however long they take, only so many are read at once, and none for ever.
func TestReadsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		by := &scripted{hangs: make(chan struct{})}
		ends := make(chan time.Time, 1000)
		p, err := pull.New(pull.Config{
			Source: due{ends}, Sink: nowhere{}, Drivers: only{by}, Random: func() float64 { return 0 }, Now: time.Now,
			Logger: slog.New(slog.DiscardHandler),
		})
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.Run(ctx)
		}()
		<-time.After(30 * time.Second)
		if by.count() != 16 {
			t.Errorf("%d reads at once, want 16", by.count())
		}
		<-time.After(30 * time.Second)
		if by.count() != 32 {
			t.Errorf("%d reads after the first were given up, want 32", by.count())
		}
		by.say(driver.Reading{}, nil)
		close(by.hangs)
		synctest.Wait()
		stop()
		<-ended
		if len(ends) < 16 {
			t.Errorf("%d reads came to an end, want at least 16", len(ends))
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	whole := pull.Config{
		Source: due{}, Sink: nowhere{}, Drivers: only{}, Random: func() float64 { return 0 }, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	negative, noClock := whole, whole
	negative.Interval, noClock.Now = -1, nil
	for name, cfg := range map[string]pull.Config{"negative interval": negative, "no clock": noClock, "nothing": {}} {
		if _, err := pull.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
