package store

import (
	"encoding/json"
	"fmt"
	"time"

	"busbar"
)

// deliveryRow is a row of deliveries.
type deliveryRow struct {
	ID             string `gorm:"column:id;primaryKey"`
	Environment    string `gorm:"column:environment"`
	EventID        string `gorm:"column:event_id"`
	EventType      string `gorm:"column:event_type"`
	EndpointID     string `gorm:"column:endpoint_id"`
	Status         string `gorm:"column:status"`
	Attempts       int    `gorm:"column:attempts"`
	Step           int    `gorm:"column:step"`
	NextAttemptAt  int64  `gorm:"column:next_attempt_at"`
	RetryNow       bool   `gorm:"column:retry_now"`
	Single         bool   `gorm:"column:single"`
	LastStatusCode int    `gorm:"column:last_status_code"`
	LastError      string `gorm:"column:last_error"`
	FilterError    string `gorm:"column:filter_error"`
	WorkflowID     string `gorm:"column:workflow_id"`
	ClaimOwner     string `gorm:"column:claim_owner"`
	ClaimUntil     int64  `gorm:"column:claim_until"`
	ClaimAttempt   int    `gorm:"column:claim_attempt"`
	CreatedAt      int64  `gorm:"column:created_at"`
	CompletedAt    int64  `gorm:"column:completed_at"`
	// EventAt is when the event happened, by its producer's clock.
	EventAt  int64  `gorm:"column:event_at"`
	RateSlot int64  `gorm:"column:rate_slot"`
	ResentBy string `gorm:"column:resent_by"`
	KeptFor  string `gorm:"column:kept_for"`
}

// TableName names the table for gorm.
func (deliveryRow) TableName() string { return "deliveries" }

func (r *deliveryRow) position() position { return position{r.CreatedAt, r.ID} }

func newDeliveryRow(d *busbar.Delivery) deliveryRow {
	return deliveryRow{
		ID: string(d.ID), Environment: string(d.Environment), EventID: string(d.EventID), EventType: d.EventType,
		EndpointID: string(d.EndpointID), Status: string(d.Status), Attempts: d.Attempts, Step: d.Step,
		NextAttemptAt: micros(d.NextAttemptAt), RetryNow: d.RetryNow, Single: d.Single,
		LastStatusCode: d.LastStatusCode, LastError: d.LastError, FilterError: d.FilterError, WorkflowID: d.WorkflowID,
		CreatedAt: micros(d.CreatedAt), CompletedAt: micros(d.CompletedAt),
	}
}

func (r *deliveryRow) delivery() (busbar.Delivery, error) {
	status, err := busbar.ParseDeliveryStatus(r.Status)
	if err != nil {
		return busbar.Delivery{}, fmt.Errorf("read delivery %s: %w", r.ID, err)
	}
	return busbar.Delivery{
		ID: busbar.DeliveryID(r.ID), Environment: busbar.Environment(r.Environment), EventID: busbar.EventID(r.EventID),
		EventType: r.EventType, EndpointID: busbar.EndpointID(r.EndpointID), Status: status,
		Attempts: r.Attempts, Step: r.Step, NextAttemptAt: fromMicros(r.NextAttemptAt), RetryNow: r.RetryNow,
		Single: r.Single, LastStatusCode: r.LastStatusCode, LastError: r.LastError, FilterError: r.FilterError, WorkflowID: r.WorkflowID,
		CreatedAt: fromMicros(r.CreatedAt), CompletedAt: fromMicros(r.CompletedAt),
	}, nil
}

// attemptRow is a row of attempts.
type attemptRow struct {
	DeliveryID      string `gorm:"column:delivery_id;primaryKey"`
	Number          int    `gorm:"column:number;primaryKey"`
	At              int64  `gorm:"column:at"`
	Duration        int64  `gorm:"column:duration"`
	Timing          string `gorm:"column:timing"`
	StatusCode      int    `gorm:"column:status_code"`
	ErrorClass      string `gorm:"column:error_class"`
	Error           string `gorm:"column:error"`
	RequestHeaders  string `gorm:"column:request_headers"`
	ResponseHeaders string `gorm:"column:response_headers"`
	ResponseBody    string `gorm:"column:response_body"`
	Truncated       bool   `gorm:"column:truncated"`
	NextAttemptAt   int64  `gorm:"column:next_attempt_at"`
}

// TableName names the table for gorm.
func (attemptRow) TableName() string { return "attempts" }

func newAttemptRow(a *busbar.Attempt) (attemptRow, error) {
	row := attemptRow{
		DeliveryID: string(a.DeliveryID), Number: a.Number, At: micros(a.At), Duration: a.Duration.Microseconds(),
		StatusCode: a.StatusCode, ErrorClass: a.ErrorClass, Error: a.Error,
		ResponseBody: a.ResponseBody, Truncated: a.Truncated, NextAttemptAt: micros(a.NextAttemptAt),
	}
	for _, f := range []struct {
		to   *string
		from any
	}{{&row.Timing, a.Timing}, {&row.RequestHeaders, a.RequestHeaders}, {&row.ResponseHeaders, a.ResponseHeaders}} {
		b, err := json.Marshal(f.from)
		if err != nil {
			return attemptRow{}, fmt.Errorf("write attempt: %w", err)
		}
		*f.to = string(b)
	}
	return row, nil
}

func (r *attemptRow) attempt() (busbar.Attempt, error) {
	a := busbar.Attempt{
		DeliveryID: busbar.DeliveryID(r.DeliveryID), Number: r.Number, At: fromMicros(r.At),
		Duration: time.Duration(r.Duration) * time.Microsecond, StatusCode: r.StatusCode,
		ErrorClass: r.ErrorClass, Error: r.Error, ResponseBody: r.ResponseBody, Truncated: r.Truncated,
		NextAttemptAt: fromMicros(r.NextAttemptAt),
	}
	for _, f := range []struct {
		from string
		to   any
	}{{r.Timing, &a.Timing}, {r.RequestHeaders, &a.RequestHeaders}, {r.ResponseHeaders, &a.ResponseHeaders}} {
		if err := json.Unmarshal([]byte(f.from), f.to); err != nil {
			return a, fmt.Errorf("read attempt %d of %s: %w", r.Number, r.DeliveryID, err)
		}
	}
	return a, nil
}
