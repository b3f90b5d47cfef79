package activities

import (
	"encoding/json"
	"fmt"

	"busbar"
)

// timeFormat is RFC 3339 with milliseconds, in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// payload is the body of a delivery. Data goes through untouched, so that what is signed is what was accepted.
func payload(e *busbar.Event, format busbar.PayloadFormat) ([]byte, error) {
	if format == busbar.Flat {
		return e.Data, nil
	}
	head, err := json.Marshal(struct {
		EventID     busbar.EventID     `json:"eventId"`
		Type        string             `json:"type"`
		Timestamp   string             `json:"timestamp"`
		Environment busbar.Environment `json:"environment"`
	}{e.ID, e.Type, e.Timestamp.UTC().Format(timeFormat), e.Environment})
	if err != nil {
		return nil, fmt.Errorf("write payload: %w", err)
	}
	body := make([]byte, 0, len(head)+len(`,"data":`)+len(e.Data)+1)
	body = append(body, head[:len(head)-1]...)
	body = append(body, `,"data":`...)
	body = append(body, e.Data...)
	return append(body, '}'), nil
}
