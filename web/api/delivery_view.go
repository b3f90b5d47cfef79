package api

import (
	"busbar"
)

// Delivery is a delivery as clients see it.
type Delivery struct {
	ID             busbar.DeliveryID     `json:"id" example:"dlv_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	EventID        busbar.EventID        `json:"eventId"`
	EventType      string                `json:"eventType"`
	EndpointID     busbar.EndpointID     `json:"endpointId"`
	Status         busbar.DeliveryStatus `json:"status" enum:"pending,delivered,failed,parked,cancelled"`
	AttemptCount   int                   `json:"attemptCount"`
	NextAttemptAt  Time                  `json:"nextAttemptAt,omitzero"`
	LastStatusCode int                   `json:"lastStatusCode,omitempty"`
	LastError      string                `json:"lastError,omitempty"`
	FilterError    string                `json:"filterError,omitempty" doc:"Why the endpoint's filter could not judge the event, which was sent then."`
	Test           bool                  `json:"test,omitempty" doc:"A test send: one attempt, no schedule."`
	WorkflowID     string                `json:"workflowId"`
	CreatedAt      Time                  `json:"createdAt"`
	CompletedAt    Time                  `json:"completedAt,omitzero"`
}

// DeliveryDetail is a delivery with its attempts.
type DeliveryDetail struct {
	Delivery
	Attempts []Attempt `json:"attempts"`
}

// Attempt is one try of a delivery.
type Attempt struct {
	Number          int                 `json:"number"`
	At              Time                `json:"at"`
	DurationMs      float64             `json:"durationMs"`
	Timing          Timing              `json:"timing"`
	StatusCode      int                 `json:"statusCode,omitempty" doc:"Absent when no response came."`
	Error           string              `json:"error,omitempty"`
	ErrorClass      string              `json:"errorClass,omitempty"`
	RequestHeaders  map[string][]string `json:"requestHeaders" doc:"Secrets are masked."`
	ResponseHeaders map[string][]string `json:"responseHeaders"`
	ResponseBody    string              `json:"responseBody" doc:"At most 16 KiB."`
	Truncated       bool                `json:"truncated" doc:"The response body was longer."`
	NextAttemptAt   Time                `json:"nextAttemptAt,omitzero"`
}

// Timing splits the time of an attempt.
type Timing struct {
	DNSMs       float64 `json:"dnsMs"`
	ConnectMs   float64 `json:"connectMs"`
	TLSMs       float64 `json:"tlsMs"`
	FirstByteMs float64 `json:"firstByteMs"`
	TotalMs     float64 `json:"totalMs"`
	Reused      bool    `json:"reused" doc:"The connection was open already."`
}

func viewDelivery(d *busbar.Delivery) Delivery {
	v := Delivery{
		ID: d.ID, EventID: d.EventID, EventType: d.EventType, EndpointID: d.EndpointID, Status: d.Status,
		AttemptCount: d.Attempts, LastStatusCode: d.LastStatusCode, LastError: d.LastError, FilterError: d.FilterError, Test: d.Single,
		WorkflowID: d.WorkflowID, CreatedAt: Time(d.CreatedAt),
	}
	switch d.Status {
	case busbar.DeliveryPending:
		v.NextAttemptAt = Time(d.NextAttemptAt)
	case busbar.DeliveryParked: // waits without a time
	case busbar.DeliveryDelivered, busbar.DeliveryFailed, busbar.DeliveryCancelled:
		v.CompletedAt = Time(d.CompletedAt)
	}
	return v
}

func viewAttempt(a *busbar.Attempt) Attempt {
	v := Attempt{
		Number: a.Number, At: Time(a.At), DurationMs: milliseconds(a.Duration), StatusCode: a.StatusCode,
		Error: a.Error, ErrorClass: a.ErrorClass, RequestHeaders: a.RequestHeaders, ResponseHeaders: a.ResponseHeaders,
		ResponseBody: a.ResponseBody, Truncated: a.Truncated, NextAttemptAt: Time(a.NextAttemptAt),
		Timing: Timing{
			milliseconds(a.Timing.DNS), milliseconds(a.Timing.Connect), milliseconds(a.Timing.TLS),
			milliseconds(a.Timing.FirstByte), milliseconds(a.Timing.Total), a.Timing.Reused,
		},
	}
	if v.RequestHeaders == nil {
		v.RequestHeaders = map[string][]string{}
	}
	if v.ResponseHeaders == nil {
		v.ResponseHeaders = map[string][]string{}
	}
	return v
}
