package intake

import (
	"sync"

	"busbar"
	"busbar/internal/store"
)

// Shipment is all that sending a delivery needs.
type Shipment struct {
	Delivery   busbar.Delivery
	Event      busbar.Event
	Subscriber *store.Subscriber
}

// Handoff carries deliveries from the transaction that made them to their first attempt in the same process, so that
// the quick way reads nothing back. What is in it is claimed in the database; what is not must be claimed there first.
type Handoff struct {
	max, maxBytes int

	mu        sync.Mutex
	shipments map[busbar.DeliveryID]Shipment
	bytes     int
}

// NewHandoff makes one that holds at most max deliveries with at most maxBytes of event data.
func NewHandoff(maximum, maxBytes int) *Handoff {
	return &Handoff{max: maximum, maxBytes: maxBytes, shipments: make(map[busbar.DeliveryID]Shipment)}
}

// put reports whether there was room.
func (h *Handoff) put(s Shipment) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.shipments) >= h.max || h.bytes+len(s.Event.Data) > h.maxBytes {
		return false
	}
	h.shipments[s.Delivery.ID] = s
	h.bytes += len(s.Event.Data)
	return true
}

// Take gives a delivery to the one that asks first.
func (h *Handoff) Take(id busbar.DeliveryID) (Shipment, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.shipments[id]
	if ok {
		delete(h.shipments, id)
		h.bytes -= len(s.Event.Data)
	}
	return s, ok
}
