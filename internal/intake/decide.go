package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/store"
)

// settle fills in what was left to Busbar: the id, the times, the flags.
func settle(e busbar.Event, env busbar.Environment, now time.Time) busbar.Event {
	e.Environment = env
	e.ReceivedAt = now
	if e.ID == "" {
		e.ID = busbar.NewEventID()
	}
	switch {
	case e.Timestamp.IsZero():
		e.Timestamp = now
	case e.Timestamp.After(now.Add(busbar.MaxClockSkew)):
		e.Timestamp = now
		e.Flags = append(e.Flags, busbar.FlagTimestampClamped)
	}
	if e.Causation.RootEventID == "" {
		e.Causation.RootEventID = e.ID
	}
	return e
}

// route decides which endpoints get an event. The same event and subscribers give the same deliveries, but for their ids. The
// endpoint that an event is about does not get it. An event that a filter cannot judge is sent: better once too often than
// lost.
func (f *filters) route(e *busbar.Event, subs []*store.Subscriber, about busbar.EndpointID) []busbar.Delivery {
	var deliveries []busbar.Delivery
	for _, sub := range subs {
		if sub.ID == about || !sub.Wants(e.Type) {
			continue
		}
		wanted, err := f.match(sub.Filter, e)
		if err == nil && !wanted {
			continue
		}
		d := newDelivery(e, sub)
		if err != nil {
			d.FilterError = err.Error()
		}
		deliveries = append(deliveries, d)
	}
	return deliveries
}

func newDelivery(e *busbar.Event, sub *store.Subscriber) busbar.Delivery {
	d := busbar.Delivery{
		ID: busbar.NewDeliveryID(), Environment: e.Environment, EventID: e.ID, EventType: e.Type, EndpointID: sub.ID,
		Status: busbar.DeliveryPending, NextAttemptAt: e.ReceivedAt, WorkflowID: e.WorkflowID(), CreatedAt: e.ReceivedAt,
	}
	if sub.Shut() {
		d.Status = busbar.DeliveryParked
	}
	return d
}

// hashContent hashes what a producer said of an event, so that the same said again is a duplicate and anything else
// under the same id is refused. The order of keys and white space do not count.
func hashContent(e *busbar.Event) (store.ContentHash, error) {
	h := sha256.New()
	at := int64(0)
	if !e.Timestamp.IsZero() {
		at = e.Timestamp.UnixMicro()
	}
	fmt.Fprintf(h, "%q %q %d ", e.Type, string(e.DeviceID), at)
	dec := json.NewDecoder(bytes.NewReader(e.Data))
	dec.UseNumber()
	var data any
	if err := dec.Decode(&data); err != nil {
		return store.ContentHash{}, fmt.Errorf("read data of event: %w", err)
	}
	if err := json.NewEncoder(h).Encode(data); err != nil {
		return store.ContentHash{}, fmt.Errorf("hash data of event: %w", err)
	}
	return store.ContentHash(h.Sum(nil)), nil
}

// marshalAnswer makes the stored form of a request's outcomes.
func marshalAnswer(outcomes []Outcome) (store.Answer, error) {
	b, err := json.Marshal(outcomes)
	if err != nil {
		return store.Answer{}, fmt.Errorf("write answer: %w", err)
	}
	return store.Answer{Status: http.StatusAccepted, Body: b}, nil
}

func unmarshalAnswer(a store.Answer) ([]Outcome, error) {
	var outcomes []Outcome
	if err := json.Unmarshal(a.Body, &outcomes); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return outcomes, nil
}
