package activities

import "busbar"

// slots are places for activities that wait for endpoints which hang.
type slots chan struct{}

// take takes one if there is one left.
func (s slots) take() (leave func(), ok bool) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, true
	default:
		return func() {}, false
	}
}

// enter takes one of the places for those who wait for endpoints that hang, if this is one.
func (a *Activities) enter(id busbar.EndpointID) (leave func(), ok bool) {
	if a.cfg.Health.Hangs(string(id)) {
		return a.slow.take()
	}
	return func() {}, true
}
