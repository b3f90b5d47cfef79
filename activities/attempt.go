package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/internal/webhook"
)

// attempt sends a shipment once and puts on record how that went and what follows.
func (a *Activities) attempt(ctx context.Context, c *claimed) (*store.Finished, error) {
	s := c.Shipment
	req, err := a.request(s, c.attempt)
	if err != nil {
		return nil, errors.Join(err, a.cfg.Deliveries.Unclaim(ctx, c.owner, s.Delivery.ID))
	}
	if c.attempt == 1 {
		a.cfg.Observer.FirstAttempt(a.cfg.Now().Sub(s.Event.ReceivedAt))
	}
	done := a.cfg.Health.Begin(string(s.Delivery.EndpointID))
	result := a.cfg.Sender.Send(ctx, req)
	// The endpoint has room again; what follows is this machine's.
	c.release()
	done(result.OK(), result.Timing.Endpoint(result.Duration))
	if result.Class == webhook.ClassCanceled {
		// This process is going down. The attempt stays claimed, and is put on record as interrupted by the next.
		return nil, fmt.Errorf("send: %s", result.Err)
	}
	f := a.follow(s.Delivery, result, c)
	if err := a.record(ctx, c, f); err != nil {
		return nil, err
	}
	if result.Disable {
		if err := a.disable(ctx, s.Delivery, result); err != nil {
			return nil, err
		}
	}
	if f.Opened {
		if err := a.cfg.Director.StartDrain(ctx, s.Delivery.Environment, s.Delivery.EndpointID); err != nil {
			// The circuit is on record; the reconciler starts it.
			a.cfg.Logger.WarnContext(ctx, "could not start draining", "endpoint_id", s.Delivery.EndpointID, "error", err)
		}
	}
	if err := a.parkPending(ctx, c, f); err != nil {
		return nil, err
	}
	a.tell(ctx, s, f)
	return f, nil
}

// disable does what the receiver has asked for.
func (a *Activities) disable(ctx context.Context, d busbar.Delivery, r webhook.Result) error {
	reason := "the endpoint asked for it with the response header webhook-delivery: disable"
	if r.StatusCode == http.StatusGone {
		reason = "the endpoint answered 410 Gone"
	}
	err := a.cfg.Sources.DisableEndpoint(ctx, d.Environment, d.EndpointID, reason, busbar.Operational(d.EventType))
	if err != nil {
		return fmt.Errorf("disable endpoint: %w", err)
	}
	return nil
}

// parkPending parks a delivery whose attempt has failed while its endpoint takes none, so that it does not wait in a
// workflow.
func (a *Activities) parkPending(ctx context.Context, c *claimed, f *store.Finished) error {
	if f.Status != busbar.DeliveryPending {
		return nil
	}
	d := c.Delivery
	subs, err := a.cfg.Sources.Subscribers(ctx, d.Environment)
	if err != nil {
		return fmt.Errorf("read endpoint: %w", err)
	}
	if sub, ok := subs.Get(d.EndpointID); !ok || !sub.Shut() {
		return nil
	}
	parked, err := a.cfg.Deliveries.ParkShut(ctx, d.Environment, d.ID, c.owner, false)
	if err != nil {
		return err
	}
	if parked {
		f.Status = busbar.DeliveryParked
	}
	return nil
}

// A database that is away for a moment is waited for, because an attempt that is not on record is made again.
const (
	recordTries = 5
	recordWait  = 250 * time.Millisecond
)

// record puts an attempt on record, even when the process is going down.
func (a *Activities) record(ctx context.Context, c *claimed, f *store.Finished) error {
	do := a.cfg.Recorder.Do
	if c.records != nil {
		do = c.records.put
	}
	wait := recordWait
	for try := 1; ; try++ {
		err := do(context.WithoutCancel(ctx), f)
		do = a.cfg.Recorder.Do
		if err == nil {
			return nil
		}
		err = fmt.Errorf("record attempt: %w", err)
		if try == recordTries || busbar.CodeOf(err) != busbar.CodeUnavailable {
			return err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return err
		}
	}
}

func (a *Activities) request(s intake.Shipment, number int) (webhook.Request, error) {
	sub := s.Subscriber
	body, err := s.Event.Payload(sub.PayloadFormat)
	if err != nil {
		return webhook.Request{}, err
	}
	var keys []webhook.Key
	for _, k := range sub.SigningKeys(a.cfg.Now()) {
		key, err := webhook.ParseKey(k.Secret)
		if err != nil {
			return webhook.Request{}, fmt.Errorf("read signing key of %s: %w", sub.ID, err)
		}
		keys = append(keys, key)
	}
	header := make(http.Header, len(sub.Headers))
	for name, value := range sub.Headers {
		header.Set(name, value)
	}
	return webhook.Request{
		URL: sub.URL, Header: header, MessageID: string(s.Event.ID), Keys: keys, Body: body,
		Timeout: a.timeout(sub), AllowHTTP: s.Event.Environment == busbar.Sandbox, EventType: s.Event.Type,
		DeliveryID: string(s.Delivery.ID), Environment: string(s.Event.Environment), Attempt: number,
	}, nil
}

func (a *Activities) timeout(sub *store.Subscriber) time.Duration {
	if sub != nil && sub.Timeout > 0 {
		return sub.Timeout
	}
	return a.cfg.Timeout
}

// follow decides what an attempt makes of its delivery.
func (a *Activities) follow(d busbar.Delivery, r webhook.Result, c *claimed) *store.Finished {
	f := &store.Finished{Step: d.Step, NextAttemptAt: d.NextAttemptAt, Job: c.job, Attempt: busbar.Attempt{
		DeliveryID: d.ID, Number: c.attempt, At: r.At, Duration: r.Duration, Timing: busbar.Timing(r.Timing),
		StatusCode: r.StatusCode, ErrorClass: string(r.Class), Error: r.Err,
		RequestHeaders: r.RequestHeader, ResponseHeaders: r.ResponseHeader,
		ResponseBody: r.ResponseBody, Truncated: r.Truncated,
	}}
	switch {
	case r.OK():
		f.Status, f.NextAttemptAt = busbar.DeliveryDelivered, time.Time{}
	case d.Single, r.Abort:
		f.Status, f.NextAttemptAt = busbar.DeliveryFailed, time.Time{}
	case d.Status != busbar.DeliveryPending:
		// What was parked, or has ended before, is as it was; draining decides whether the schedule goes on.
		f.Status = d.Status
	case r.Disable:
		// It is parked as soon as the endpoint is disabled.
		f.Status, f.NextAttemptAt = busbar.DeliveryPending, a.cfg.Now()
	case c.manual:
		// The schedule goes on where it was.
		f.Status = busbar.DeliveryPending
	default:
		wait, ok := a.cfg.Schedule.Wait(d.Step, r.RetryAfter, a.cfg.Jitter, a.cfg.Random())
		if !ok {
			f.Status, f.NextAttemptAt, f.Exhausted = busbar.DeliveryFailed, time.Time{}, true
			break
		}
		f.Status, f.Step, f.NextAttemptAt = busbar.DeliveryPending, d.Step+1, a.cfg.Now().Add(wait)
	}
	if f.Status == busbar.DeliveryPending {
		f.Attempt.NextAttemptAt = f.NextAttemptAt
	}
	return f
}

// tell counts and logs an attempt, in one line.
func (a *Activities) tell(ctx context.Context, s intake.Shipment, f *store.Finished) {
	env := s.Delivery.Environment
	a.cfg.Observer.Attempt(env, f.Attempt.ErrorClass, f.Attempt.Duration)
	if f.Status != busbar.DeliveryPending {
		a.cfg.Observer.Delivery(env, f.Status)
	}
	a.cfg.Logger.InfoContext(ctx, "attempt",
		"event_id", s.Event.ID, "endpoint_id", s.Delivery.EndpointID, "delivery_id", s.Delivery.ID,
		"attempt", f.Attempt.Number, "status", f.Status, "code", f.Attempt.StatusCode, "error", f.Attempt.Error,
		"ms", f.Attempt.Duration.Milliseconds())
}
