package view

import (
	"slices"
	"time"

	"busbar"
	"busbar/web/api"
)

// OverviewPage is how it goes, in one look.
type OverviewPage struct {
	Now       time.Time
	Day       *Day
	Endpoints []api.Endpoint
	// Pending and Parked are counted up to Most.
	Pending, Parked, Most int
	Retries               []api.Delivery
	Events                []api.Event
	// Firings are the newest runs that did something, and Names those of what they are about.
	Firings                   []api.Run
	Names                     Names
	Accepting, WorkersPolling bool
	Backlog                   int64
	// Home is nil when there is no site with a meter.
	Home *Home
}

// SortByNext puts the delivery first that is tried next.
func SortByNext(list []api.Delivery) {
	slices.SortFunc(list, func(a, b api.Delivery) int { return time.Time(a.NextAttemptAt).Compare(time.Time(b.NextAttemptAt)) })
}

// verdict is the sentence that says it all.
type verdict struct{ tone, icon, text, detail string }

func (o OverviewPage) verdict() verdict {
	troubled := o.troubled()
	switch {
	case !o.Accepting:
		return verdict{"bad", "warn", "Events are not accepted", "The backlog is full, or the database is away."}
	case !o.WorkersPolling:
		return verdict{"bad", "warn", "No worker is running", "Events are kept, and delivered when one is back."}
	case len(troubled) > 0:
		return verdict{"warn", "warn", Plural(len(troubled), "endpoint needs", "endpoints need") + " attention", "The other deliveries are not delayed by it."}
	case !o.Day.Counted:
		return verdict{"info", "clock", "The last 24 hours are being counted", "How they went is said in a moment."}
	case o.Parked > 0:
		return verdict{"good", "check", "All is well", UpTo(o.Parked, o.Most) + " parked: they wait for an endpoint that is disabled, busy or catching up."}
	case o.Pending > 0:
		return verdict{"good", "check", "All is well", Plural(o.Pending, "delivery is", "deliveries are") + " under way."}
	default:
		return verdict{"good", "check", "All is well", "Everything that was accepted has been delivered."}
	}
}

// Trouble is an endpoint that needs somebody to look at it.
type Trouble struct {
	Endpoint api.Endpoint
	Why      string
	Tone     string
}

func (o OverviewPage) troubled() []Trouble {
	var list []Trouble
	for _, e := range o.Endpoints {
		sum := Sum(o.Day.Of(e.ID))
		switch {
		case !e.Enabled && e.DisabledReason != "" && sum[busbar.DeliveryParked] > 0:
			list = append(list, Trouble{e, "Disabled, and " + Plural(sum[busbar.DeliveryParked], "delivery waits", "deliveries wait"), "warn"})
		case e.Enabled && e.Circuit.State == busbar.CircuitOpen:
			why := "It does not answer"
			if e.Circuit.Failures > 0 {
				why = "Failed " + Plural(e.Circuit.Failures, "time", "times") + " in a row"
			}
			if n := sum[busbar.DeliveryParked]; n > 0 {
				why += "; " + Plural(n, "delivery waits", "deliveries wait")
			}
			list = append(list, Trouble{e, why, "bad"})
		case sum[busbar.DeliveryFailed] > 0:
			list = append(list, Trouble{e, Plural(sum[busbar.DeliveryFailed], "delivery has", "deliveries have") + " failed for good", "bad"})
		}
	}
	return list
}

// name is what an endpoint is called in lists.
func endpointName(e *api.Endpoint) string {
	if e.Description != "" {
		return e.Description
	}
	return e.URL
}

// nameOf finds an endpoint's name by its id.
func nameOf(list []api.Endpoint, id busbar.EndpointID) string {
	for i := range list {
		if list[i].ID == id {
			return endpointName(&list[i])
		}
	}
	return string(id)
}
