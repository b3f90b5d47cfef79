package busbar

import (
	"encoding/json"
	"fmt"
)

// payloadTime is RFC 3339 with milliseconds, in UTC.
const payloadTime = "2006-01-02T15:04:05.000Z07:00"

// Payload is the body of the event's deliveries. Data goes through untouched, so that what is signed is what was accepted.
func (e Event) Payload(format PayloadFormat) ([]byte, error) {
	if format == Flat {
		return e.Data, nil
	}
	head, err := json.Marshal(struct {
		EventID     EventID     `json:"eventId"`
		Type        string      `json:"type"`
		Timestamp   string      `json:"timestamp"`
		Environment Environment `json:"environment"`
	}{e.ID, e.Type, e.Timestamp.UTC().Format(payloadTime), e.Environment})
	if err != nil {
		return nil, fmt.Errorf("write payload: %w", err)
	}
	body := make([]byte, 0, len(head)+len(`,"data":`)+len(e.Data)+1)
	body = append(body, head[:len(head)-1]...)
	body = append(body, `,"data":`...)
	body = append(body, e.Data...)
	return append(body, '}'), nil
}
