// Package drivertest is what every driver must do, as tests.
package drivertest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar"
	"busbar/internal/driver"
)

// Behaviour is how the other side treats the next commands.
type Behaviour string

// The behaviours.
const (
	// Accepts: it carries them out and says so.
	Accepts Behaviour = "accepts"
	// Defers: it carries them out, and says only that the result follows.
	Defers Behaviour = "defers"
	// Refuses: it will not, and says why.
	Refuses Behaviour = "refuses"
	// Offline: it says that the device cannot be reached.
	Offline Behaviour = "offline"
	// Hangs: it does not answer, and carries nothing out.
	Hangs Behaviour = "hangs"
	// Breaks: it carries the next one out and breaks the connection instead of answering; then it Accepts.
	Breaks Behaviour = "breaks"
	// Swamped: it asks to be left alone for RetryAfter.
	Swamped Behaviour = "swamped"
)

// RetryAfter is what a swamped side asks for.
const RetryAfter = 7 * time.Second

// Secret is in the driver's settings of a Subject that has one. No outcome and no error may tell it.
const Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" //nolint:gosec // it opens nothing

// Subject is a driver under test, with the other side that it reaches.
type Subject struct {
	Driver driver.Driver
	Device busbar.Device
	// Can lists what the other side can do, first what it does when nothing is wrong.
	Can []Behaviour
	// Behave changes what it does. Nil when it can do one thing only.
	Behave func(Behaviour)
	// Effects tells how often the device has carried a command out. Nil when there is no other side.
	Effects func() int
}

// Timeout is what a Subject's driver has to be configured with.
const Timeout = time.Second

// Run tests a driver. Each test gets a subject of its own from fresh.
func Run(t *testing.T, fresh func(t *testing.T) Subject) {
	t.Helper()
	for _, test := range []struct {
		name  string
		needs Behaviour
		run   func(*testing.T, *Subject)
	}{
		{"accepts", Accepts, accepts},
		{"defers", Defers, defers},
		{"refuses", Refuses, refuses},
		{"offline is transient", Offline, offline},
		{"hanging is a timeout", Hangs, hangs},
		{"a lost answer is no second effect", Breaks, lostAnswer},
		{"honours the wish to be left alone", Swamped, swamped},
		{"a failure that is known is tried anew", Offline, comesBack},
		{"an ended context is an interruption", "", interrupted},
		{"many at once", "", together},
		{"tells no secret and changes no request", "", discreet},
	} {
		if s := fresh(t); test.needs == "" || slices.Contains(s.Can, test.needs) {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				s := fresh(t)
				s.behave(cmp.Or(test.needs, s.Can[0]))
				test.run(t, &s)
			})
		}
	}
}

func (s *Subject) behave(b Behaviour) {
	if s.Behave != nil {
		s.Behave(b)
	}
}

// Request is a first try on the subject's device.
func (s *Subject) Request(n int) driver.Request {
	id := busbar.ActionID(fmt.Sprintf("act_%032d", n))
	return driver.Request{
		Environment: busbar.Sandbox, Device: s.Device, ActionID: id, IdempotencyKey: string(id), Phase: busbar.PhasePush, Try: 1,
		Instruction: busbar.Instruction{Command: "charge", Parameters: map[string]busbar.Quantity{
			"target": {Value: 90, Unit: busbar.Percent}, "power": {Value: 2.5, Unit: busbar.Kilowatts},
		}},
	}
}

// again is the next try of a request.
func again(r driver.Request, first time.Time) driver.Request {
	r.Try++
	r.FirstTryAt = first
	return r
}

func (s *Subject) push(t *testing.T, r driver.Request) (driver.Outcome, error) {
	t.Helper()
	outcome, err := s.Driver.Push(t.Context(), r)
	if problem := Sound(outcome, err); problem != "" {
		t.Fatalf("push: %s", problem)
	}
	return outcome, err
}

// settle pushes, and polls what is pending if the driver can.
func (s *Subject) settle(t *testing.T, r driver.Request) (driver.Outcome, error) {
	t.Helper()
	outcome, err := s.push(t, r)
	poller, ok := s.Driver.(driver.Poller)
	if err != nil || outcome.Kind != driver.KindPending || !ok {
		return outcome, err
	}
	outcome, err = poller.Poll(t.Context(), r, outcome.Remote)
	if problem := Sound(outcome, err); problem != "" {
		t.Fatalf("poll: %s", problem)
	}
	return outcome, err
}

func (s *Subject) wantEffects(t *testing.T, want int) {
	t.Helper()
	if s.Effects != nil && s.Effects() != want {
		t.Errorf("the device carried out %d commands, want %d", s.Effects(), want)
	}
}

// Sound says what is wrong with an answer of a driver, whatever it was asked; nothing if it is one.
func Sound(o driver.Outcome, err error) string {
	if err != nil {
		e, ok := errors.AsType[*driver.Error](err)
		switch {
		case o != (driver.Outcome{}):
			return fmt.Sprintf("there is an outcome %+v beside the error %v", o, err)
		case ok && (e.Code == "" || e.Message == "" || e.RetryAfter < 0):
			return fmt.Sprintf("a transient error lacks a code or a message: %+v", e)
		case !ok && !errors.Is(err, driver.ErrInterrupted):
			return fmt.Sprintf("the error is neither transient nor an interruption: %v", err)
		}
		return ""
	}
	switch o.Kind {
	case driver.KindAccepted:
		if o.Code != "" || o.Remote != "" {
			return fmt.Sprintf("accepted with a code or a name: %+v", o)
		}
	case driver.KindPending:
		if o.Code != "" {
			return fmt.Sprintf("pending with a code: %+v", o)
		}
	case driver.KindRefused:
		if o.Code == "" || o.Message == "" || o.Remote != "" {
			return fmt.Sprintf("refused without a code or a message: %+v", o)
		}
	default:
		return fmt.Sprintf("there is no such outcome: %+v", o)
	}
	if strings.ContainsAny(o.Code+o.Message, "\r\n\x00") || len(o.Code) > 256 || len(o.Message) > 2000 {
		return fmt.Sprintf("the texts are not one short line each: %+v", o)
	}
	return ""
}

func accepts(t *testing.T, s *Subject) {
	outcome, err := s.settle(t, s.Request(1))
	if err != nil || outcome.Kind != driver.KindAccepted {
		t.Errorf("got %+v, %v", outcome, err)
	}
	s.wantEffects(t, 1)
}

func defers(t *testing.T, s *Subject) {
	outcome, err := s.push(t, s.Request(1))
	if err != nil || outcome.Kind != driver.KindPending {
		t.Fatalf("got %+v, %v", outcome, err)
	}
	poller, ok := s.Driver.(driver.Poller)
	if ok != (outcome.Remote != "") {
		t.Fatalf("a name to poll for and a way to poll belong together: %+v", outcome)
	}
	if !ok {
		return
	}
	still, err := poller.Poll(t.Context(), s.Request(1), outcome.Remote)
	if problem := Sound(still, err); problem != "" || err != nil || still != outcome {
		t.Errorf("polled %+v, %v (%s), want %+v", still, err, problem, outcome)
	}
	s.wantEffects(t, 1)
}

func refuses(t *testing.T, s *Subject) {
	outcome, err := s.settle(t, s.Request(1))
	if err != nil || outcome.Kind != driver.KindRefused {
		t.Errorf("got %+v, %v", outcome, err)
	}
	s.wantEffects(t, 0)
}

func offline(t *testing.T, s *Subject) {
	outcome, err := s.settle(t, s.Request(1))
	if e, ok := errors.AsType[*driver.Error](err); !ok || e.Code != driver.CodeDeviceOffline {
		t.Errorf("got %+v, %v", outcome, err)
	}
	s.wantEffects(t, 0)
}

func hangs(t *testing.T, s *Subject) {
	began := time.Now()
	outcome, err := s.push(t, s.Request(1))
	if e, ok := errors.AsType[*driver.Error](err); !ok || e.Code != driver.CodeTimeout {
		t.Errorf("got %+v, %v", outcome, err)
	}
	// Far above the timeout, far below what a driver without one would take.
	if took := time.Since(began); took > 20*Timeout {
		t.Errorf("it took %s", took)
	}
	s.wantEffects(t, 0)
}

func lostAnswer(t *testing.T, s *Subject) {
	first := s.Request(1)
	began := time.Now()
	outcome, err := s.push(t, first)
	if _, ok := errors.AsType[*driver.Error](err); !ok {
		t.Fatalf("the first try gives %+v, %v", outcome, err)
	}
	for try := range 3 {
		outcome, err = s.settle(t, again(first, began))
		if err != nil || outcome.Kind != driver.KindAccepted {
			t.Errorf("try %d gives %+v, %v", try+2, outcome, err)
		}
	}
	s.wantEffects(t, 1)
	// Another action asks for the same: that is no repeat.
	if outcome, err = s.settle(t, s.Request(2)); err != nil || outcome.Kind != driver.KindAccepted {
		t.Errorf("the next action gives %+v, %v", outcome, err)
	}
	s.wantEffects(t, 2)
}

func swamped(t *testing.T, s *Subject) {
	outcome, err := s.push(t, s.Request(1))
	e, ok := errors.AsType[*driver.Error](err)
	if !ok || e.Code != driver.CodeRateLimited || e.RetryAfter != RetryAfter {
		t.Errorf("got %+v, %+v", outcome, err)
	}
	s.wantEffects(t, 0)
}

func comesBack(t *testing.T, s *Subject) {
	first := s.Request(1)
	began := time.Now()
	if outcome, err := s.settle(t, first); err == nil {
		t.Fatalf("the first try gives %+v", outcome)
	}
	s.behave(s.Can[0])
	outcome, err := s.settle(t, again(first, began))
	if err != nil || outcome.Kind == driver.KindRefused {
		t.Errorf("the second try gives %+v, %v", outcome, err)
	}
	s.wantEffects(t, 1)
}

func interrupted(t *testing.T, s *Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outcome, err := s.Driver.Push(ctx, s.Request(1))
	if outcome != (driver.Outcome{}) || !errors.Is(err, driver.ErrInterrupted) {
		t.Errorf("got %+v, %v", outcome, err)
	}
	s.wantEffects(t, 0)
}

func together(t *testing.T, s *Subject) {
	const many = 8
	var all sync.WaitGroup
	for n := range many {
		all.Go(func() {
			// Fatal ends only the test's own goroutine.
			r := s.Request(n)
			r.Device.ID = busbar.DeviceID(fmt.Sprintf("%s-%d", r.Device.ID, n))
			if r.Device.Driver.DeviceID != "" {
				r.Device.Driver.DeviceID += fmt.Sprintf("-%d", n)
			}
			outcome, err := s.Driver.Push(t.Context(), r)
			if problem := Sound(outcome, err); problem != "" || err != nil || outcome.Kind == driver.KindRefused {
				t.Errorf("request %d: got %+v, %v %s", n, outcome, err, problem)
			}
		})
	}
	all.Wait()
	s.wantEffects(t, many)
}

func discreet(t *testing.T, s *Subject) {
	before, err := json.Marshal(s.Request(1))
	if err != nil {
		t.Fatalf("encode request: %v", err)
	}
	r := s.Request(1)
	for _, b := range s.Can {
		s.behave(b)
		outcome, err := s.push(t, r)
		if text := fmt.Sprintf("%+v %v", outcome, err); strings.Contains(text, Secret) {
			t.Errorf("%s: the secret is in %q", b, text)
		}
	}
	after, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("encode request: %v", err)
	}
	if string(before) != string(after) {
		t.Errorf("the request was changed from\n%s to\n%s", before, after)
	}
}
