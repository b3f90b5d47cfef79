package intake

import (
	"sync"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Shipment is all that sending a delivery needs.
type Shipment struct {
	Delivery   busbar.Delivery
	Event      busbar.Event
	Subscriber *store.Subscriber
	// Until is how long a prepared shipment may be sent as it is; later it is claimed and read again.
	Until time.Time
}

// Handoff carries deliveries from the transaction that made them to their first attempt in the same process, so that
// the quick way reads nothing back. What is in it is claimed in the database, until the sweep takes its event over; what
// is not must be claimed there first.
type Handoff struct {
	max, maxBytes int

	mu        sync.Mutex
	shipments map[busbar.DeliveryID]Shipment
	bytes     int
	// swept is when those were last dropped that nobody had come for.
	swept time.Time
}

// NewHandoff makes one that holds at most max deliveries with at most maxBytes of event data.
func NewHandoff(maximum, maxBytes int) *Handoff {
	return &Handoff{max: maximum, maxBytes: maxBytes, shipments: make(map[busbar.DeliveryID]Shipment)}
}

// put reports whether there was room.
func (h *Handoff) put(s Shipment, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.fits(s) {
		h.sweep(now)
		if !h.fits(s) {
			return false
		}
	}
	h.shipments[s.Delivery.ID] = s
	h.bytes += len(s.Event.Data)
	return true
}

func (h *Handoff) fits(s Shipment) bool {
	return len(h.shipments) < h.max && h.bytes+len(s.Event.Data) <= h.maxBytes
}

// sweep drops what has waited too long, now and then: its delivery was cancelled, or its workflow ended by a person.
func (h *Handoff) sweep(now time.Time) {
	if now.Sub(h.swept) < store.StartClaim {
		return
	}
	h.swept = now
	for id, s := range h.shipments {
		if s.Until.Before(now) {
			h.drop(id, s)
		}
	}
}

func (h *Handoff) drop(id busbar.DeliveryID, s Shipment) {
	delete(h.shipments, id)
	h.bytes -= len(s.Event.Data)
}

// Take gives a delivery to the one that asks first.
func (h *Handoff) Take(id busbar.DeliveryID) (Shipment, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.shipments[id]
	if ok {
		h.drop(id, s)
	}
	return s, ok
}
