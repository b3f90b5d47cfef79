package api

import "busbar"

// Circuit says whether deliveries go to an endpoint now.
type Circuit struct {
	State        busbar.CircuitState `json:"state" enum:"closed,open,half_open" doc:"While it is not closed, deliveries are parked. An open one is probed with the oldest; a half-open one sends what is parked, oldest first."`
	Since        Time                `json:"since,omitzero" doc:"Absent when it was never open."`
	ProbeAt      Time                `json:"probeAt,omitzero" doc:"When an open circuit is probed next."`
	Failures     int                 `json:"failures" doc:"Failed attempts since the last success."`
	FailingSince Time                `json:"failingSince,omitzero" doc:"The first of them."`
	Crowded      bool                `json:"crowded,omitempty" doc:"It is half open because more comes for the endpoint than it takes at once, not because it has failed."`
}

func viewCircuit(c busbar.Circuit) Circuit {
	v := Circuit{
		State: c.State, Since: Time(c.Since), ProbeAt: Time(c.ProbeAt), Failures: c.Failures, FailingSince: Time(c.FailingSince),
		Crowded: c.Crowded,
	}
	if v.State == "" {
		v.State = busbar.CircuitClosed
	}
	return v
}
