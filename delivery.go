package busbar

import (
	"encoding/json"
	"fmt"
	"time"
)

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	ID          DeliveryID
	Environment Environment
	EventID     EventID
	EventType   string
	EndpointID  EndpointID
	Status      DeliveryStatus
	// Attempts counts the attempts on record; it only grows.
	Attempts int
	// Step is how many waits of the retry schedule are used up. A manual retry leaves it alone.
	Step          int
	NextAttemptAt time.Time
	// RetryNow is set by a person who does not want to wait for NextAttemptAt.
	RetryNow bool
	// Single deliveries have one attempt and no schedule: test sends.
	Single         bool
	LastStatusCode int
	LastError      string
	// FilterError says why the endpoint's filter could not judge the event, which was then sent.
	FilterError string
	// Workflow carries the delivery out.
	WorkflowID  string
	CreatedAt   time.Time
	CompletedAt time.Time
}

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	// DeliveryFailed: the schedule is used up.
	DeliveryFailed DeliveryStatus = "failed"
	// DeliveryParked: the endpoint is disabled; the delivery is kept.
	DeliveryParked    DeliveryStatus = "parked"
	DeliveryCancelled DeliveryStatus = "cancelled"
)

// ParseDeliveryStatus rejects what is not a state.
func ParseDeliveryStatus(s string) (DeliveryStatus, error) {
	switch d := DeliveryStatus(s); d {
	case DeliveryPending, DeliveryDelivered, DeliveryFailed, DeliveryParked, DeliveryCancelled:
		return d, nil
	default:
		return "", fmt.Errorf("%q is none of pending, delivered, failed, parked, cancelled", s)
	}
}

// Attempt is one try of a delivery, as it went.
type Attempt struct {
	DeliveryID DeliveryID
	// Number counts from 1.
	Number   int
	At       time.Time
	Duration time.Duration
	Timing   Timing
	// StatusCode is zero when no response came.
	StatusCode int
	// ErrorClass is empty for a success; see internal/webhook for the set.
	ErrorClass      string
	Error           string
	RequestHeaders  map[string][]string
	ResponseHeaders map[string][]string
	ResponseBody    string
	// Truncated: the response body was longer than what is kept.
	Truncated     bool
	NextAttemptAt time.Time
}

// AttemptInterrupted is the error class of an attempt whose process ended before its result was recorded. Whether it
// reached the endpoint is not known.
const AttemptInterrupted = "interrupted"

// Timing splits the time of an attempt.
type Timing struct {
	DNS, Connect, TLS, FirstByte, Total time.Duration
	// Reused: the connection was open already, so that DNS, Connect and TLS are zero.
	Reused bool
}

// MarshalJSON gives milliseconds with three decimals: {"dnsMs","connectMs","tlsMs","firstByteMs","totalMs","reused"}.
func (t Timing) MarshalJSON() ([]byte, error) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return json.Marshal(timingJSON{ms(t.DNS), ms(t.Connect), ms(t.TLS), ms(t.FirstByte), ms(t.Total), t.Reused})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Timing) UnmarshalJSON(b []byte) error {
	var j timingJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("read timing: %w", err)
	}
	d := func(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
	*t = Timing{d(j.DNS), d(j.Connect), d(j.TLS), d(j.FirstByte), d(j.Total), j.Reused}
	return nil
}

type timingJSON struct {
	DNS       float64 `json:"dnsMs"`
	Connect   float64 `json:"connectMs"`
	TLS       float64 `json:"tlsMs"`
	FirstByte float64 `json:"firstByteMs"`
	Total     float64 `json:"totalMs"`
	Reused    bool    `json:"reused"`
}
