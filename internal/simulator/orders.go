package simulator

import (
	"time"

	"busbar"
)

const (
	// mostOrders bounds what is remembered of commands. Far fewer are open at once: two a device.
	mostOrders = 1024
	// askAgain is when a result that Busbar took, but still asks for, is reported anew.
	askAgain = 5 * time.Second
)

// order is a command that was carried out, or refused, once. Its outcome is reported until Busbar has it.
type order struct {
	key      string
	actionID busbar.ActionID
	result   result
	// due is when the outcome is to be reported next; zero when it is not.
	due time.Time
	// reported: Busbar has taken the outcome at least once.
	reported bool
	twice    bool
}

// result is how a command ended.
type result struct {
	Key       string      `json:"key,omitempty"`
	Success   bool        `json:"success"`
	Message   string      `json:"message,omitempty"`
	ErrorCode busbar.Code `json:"errorCode,omitempty"`
}

// orders are the commands carried out lately, by key.
type orders struct {
	byKey map[string]*order
	// oldest first
	queue []*order
}

func newOrders() orders { return orders{byKey: make(map[string]*order)} }

// add remembers an order, and forgets the oldest when there are too many.
func (o *orders) add(n *order) {
	if len(o.queue) == mostOrders {
		delete(o.byKey, o.queue[0].key)
		o.queue = append(o.queue[:0], o.queue[1:]...)
	}
	o.byKey[n.key] = n
	o.queue = append(o.queue, n)
}

// due lists the orders whose outcome is to be reported now.
func (o *orders) due(now time.Time) []order {
	var due []order
	for _, n := range o.queue {
		if !n.due.IsZero() && !now.Before(n.due) {
			due = append(due, *n)
		}
	}
	return due
}
