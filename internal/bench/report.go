package bench

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Report is what a run measured. Scenarios are in the order they were run.
type Report struct {
	Started time.Time `json:"started"`
	// Command is the command line with keys and passwords masked.
	Command     string   `json:"command"`
	Machine     Machine  `json:"machine"`
	Results     []Result `json:"results"`
	Skipped     []Skip   `json:"skipped,omitempty"`
	Interrupted bool     `json:"interrupted"`
}

// Skip names a scenario that All left out.
type Skip struct {
	Scenario Scenario `json:"scenario"`
	Reason   string   `json:"reason"`
}

// Result is what one scenario measured. Counts are of all events; latencies, rates and processor times are of those after the
// warm-up. A figure that was not measured is absent.
type Result struct {
	Scenario  Scenario `json:"scenario"`
	Endpoints int      `json:"endpoints"`
	// Load describes how events were posted.
	Load    string `json:"load"`
	Payload int64  `json:"payloadBytes"`

	// Events were posted, Accepted of them answered 202; Errors counts the rest by code.
	Events   int            `json:"events"`
	Accepted int            `json:"accepted"`
	Errors   map[string]int `json:"errors"`
	// Deliveries are first arrivals at endpoints that answer 200, Losses are accepted events that one of these did not receive,
	// Repeats are arrivals after the first.
	Deliveries int `json:"deliveries"`
	Losses     int `json:"losses"`
	Repeats    int `json:"repeats"`
	// Unconfirmed takes the place of Losses when the run cannot tell them from what is late: it was interrupted, or is Care.
	Unconfirmed   int `json:"unconfirmed,omitempty"`
	BadSignatures int `json:"badSignatures"`
	// Malformed webhooks were well signed, but their body was not the event named in their header.
	Malformed int `json:"malformed"`
	// Strays are well-signed webhooks of events that this scenario did not post.
	Strays int `json:"strays"`

	// Ingest is from the time a post was due to its 202, EndToEnd from the same time until the sink had read the webhook, Late
	// from the time a post was due until it was sent: what the load itself added.
	Ingest   *Latency `json:"ingest,omitempty"`
	EndToEnd *Latency `json:"endToEnd,omitempty"`
	Late     *Latency `json:"late,omitempty"`
	// EventsPerSecond and DeliveriesPerSecond are taken from the first post to the last arrival.
	EventsPerSecond     *float64 `json:"eventsPerSecond,omitempty"`
	DeliveriesPerSecond *float64 `json:"deliveriesPerSecond,omitempty"`

	// ServerCPU and LoadCPU are processor milliseconds per accepted event, of the server and of the benchmark with its sink.
	ServerCPU *float64 `json:"serverCpuMsPerEvent,omitempty"`
	LoadCPU   *float64 `json:"loadCpuMsPerEvent,omitempty"`
	// Memory is the server's at the end of the scenario.
	Memory *Memory `json:"memory,omitempty"`

	Hanging *HangingResult `json:"hanging,omitempty"`
	Crash   *CrashResult   `json:"crash,omitempty"`
	Idle    *IdleResult    `json:"idle,omitempty"`
	Pending *PendingResult `json:"pending,omitempty"`
	Growth  []GrowthResult `json:"growth,omitempty"`

	Telemetry *TelemetryResult `json:"telemetry,omitempty"`
	Parked    *ParkedResult    `json:"parked,omitempty"`
	Care      *CareResult      `json:"care,omitempty"`
}

// HangingResult is about the endpoint that holds every request; the rest of its Result is about the healthy ones.
type HangingResult struct {
	HoldMs float64 `json:"holdMs"`
	// Received are the events whose webhook reached the hanging endpoint before the scenario ended.
	Received int `json:"received"`
}

// CrashResult is how the server came back. Times are milliseconds.
type CrashResult struct {
	// Unanswered posts were under way when the server died.
	Unanswered int `json:"unanswered"`
	// Backlog are deliveries of accepted events that had not arrived when the server died.
	Backlog int `json:"backlog"`
	// Ready is from the second start of the process until it was ready.
	Ready float64 `json:"readyMs"`
	// First and Last are from ready to the first webhook and to the end of the backlog, 0 when that came before the server called
	// itself ready. With an empty backlog they are those of an event posted as soon as the server was ready.
	First *float64 `json:"firstDeliveryMs,omitempty"`
	Last  *float64 `json:"lastDeliveryMs,omitempty"`
}

// IdleResult is a server nobody uses.
type IdleResult struct {
	// Ready is from the start of the process until it was ready, in milliseconds; absent for a target that was running.
	Ready *float64 `json:"readyMs,omitempty"`
	// AtStart and AfterQuiet are the memory when it was ready and when it had been left alone for a while.
	AtStart    Memory  `json:"atStart"`
	AfterQuiet Memory  `json:"afterQuiet"`
	QuietMs    float64 `json:"quietMs"`
	// CPU is processor milliseconds per second of quiet.
	CPU *float64 `json:"cpuMsPerSecond,omitempty"`
}

// PendingResult is a server with many deliveries that wait for their next attempt.
type PendingResult struct {
	// Attempted events reached the failing endpoint at least once, with Attempts requests altogether.
	Attempted int     `json:"attempted"`
	Attempts  int     `json:"attempts"`
	Before    Memory  `json:"before"`
	After     Memory  `json:"after"`
	QuietMs   float64 `json:"quietMs"`
}

// GrowthResult is one measurement of Growth.
type GrowthResult struct {
	Stored    int      `json:"storedEvents"`
	Probe     int      `json:"probeEvents"`
	ServerCPU *float64 `json:"serverCpuMsPerEvent,omitempty"`
	Ingest    *Latency `json:"ingest,omitempty"`
	EndToEnd  *Latency `json:"endToEnd,omitempty"`
	Memory    *Memory  `json:"memory,omitempty"`
}

// broken returns an error for each promise a result shows broken.
func (r Result) broken() error {
	var problems []error
	add := func(n int, what string) {
		if n > 0 {
			problems = append(problems, fmt.Errorf("%s: %d %s", r.Scenario, n, what))
		}
	}
	add(r.Losses, "deliveries of accepted events are missing")
	add(r.BadSignatures, "webhooks with a bad signature")
	add(r.Malformed, "webhooks with a wrong body")
	if r.Events > 0 && r.Accepted == 0 {
		problems = append(problems, fmt.Errorf("%s: none of %d events was accepted", r.Scenario, r.Events))
	}
	if t := r.Telemetry; t != nil {
		add(t.Refused, "readings were refused")
	}
	if p := r.Parked; p != nil {
		add(p.OutOfOrder, "events overtook older ones by more than may be in flight")
	}
	return errors.Join(problems...)
}

const masked = "***"

// maskCommand joins a command line and hides the value of every key, password and secret flag and the password of every URL.
func maskCommand(args []string) string {
	words := make([]string, 0, len(args))
	hideNext := false
	for _, arg := range args {
		name, value, assigned := strings.Cut(arg, "=")
		switch {
		case hideNext:
			arg, hideNext = masked, false
		case secretFlag(name) && assigned:
			arg = name + "=" + masked
		case secretFlag(name):
			hideNext = true
		case assigned && strings.HasPrefix(name, "-"):
			arg = name + "=" + maskURL(value)
		default:
			arg = maskURL(arg)
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

func secretFlag(name string) bool {
	if !strings.HasPrefix(name, "-") {
		return false
	}
	for _, word := range []string{"key", "password", "secret", "token"} {
		if strings.Contains(strings.ToLower(name), word) {
			return true
		}
	}
	return false
}

func maskURL(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return masked
	}
	if u.User == nil {
		return text
	}
	u.User = url.User(masked)
	return strings.Replace(u.String(), url.User(masked).String(), masked, 1)
}
