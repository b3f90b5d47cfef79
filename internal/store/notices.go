package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

// Notice is something that has happened to an endpoint or a delivery and is to become an event.
type Notice struct {
	// ID is derived from what happened.
	ID          busbar.EventID
	Environment busbar.Environment
	Type        string
	// About is the endpoint that it is about, which is not told.
	About busbar.EndpointID
	// Parent is the event from which it follows, if there is one.
	Parent busbar.EventID
	At     time.Time
	Data   json.RawMessage
}

type noticeRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	Environment string `gorm:"column:environment"`
	Type        string `gorm:"column:type"`
	EndpointID  string `gorm:"column:endpoint_id"`
	ParentID    string `gorm:"column:parent_id"`
	At          int64  `gorm:"column:at"`
	Data        string `gorm:"column:data"`
}

// TableName names the table for gorm.
func (noticeRow) TableName() string { return "notices" }

// timeText is how times are written in the data of events.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// note keeps a notice in the transaction in which its cause happens.
func (s *Store) note(tx *gorm.DB, row *noticeRow, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("write notice: %w", err)
	}
	row.At, row.Data = micros(s.now()), string(text)
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(row).Error; err != nil {
		return fmt.Errorf("keep notice: %w", err)
	}
	return nil
}

// noteEndpoint notes an event about an endpoint, once for each of its episodes.
func (s *Store) noteEndpoint(tx *gorm.DB, h *healthRow, eventType string, episode int64, since time.Time, reason string) error {
	var urls []string
	if err := tx.Raw("SELECT url FROM endpoints WHERE id = ?", h.EndpointID).Scan(&urls).Error; err != nil {
		return fmt.Errorf("read endpoint: %w", err)
	}
	if len(urls) == 0 {
		return nil // it was deleted
	}
	return s.note(tx, &noticeRow{
		ID:          string(busbar.DerivedEventID(eventType, h.EndpointID, strconv.FormatInt(episode, 10))),
		Environment: h.Environment, Type: eventType, EndpointID: h.EndpointID,
	}, struct {
		EndpointID string `json:"endpointId"`
		URL        string `json:"url"`
		Since      string `json:"since"`
		Failures   int    `json:"failures"`
		Reason     string `json:"reason"`
	}{h.EndpointID, urls[0], timeText(since), h.Failures, reason})
}

// noteExhausted notes that a delivery has failed for good, once for each time that it does.
func (s *Store) noteExhausted(tx *gorm.DB, r *recorded, attempts, statusCode int) error {
	return s.note(tx, &noticeRow{
		ID:          string(busbar.DerivedEventID(busbar.TypeDeliveryExhausted, r.ID, strconv.Itoa(attempts))),
		Environment: r.Environment, Type: busbar.TypeDeliveryExhausted, EndpointID: r.EndpointID, ParentID: r.EventID,
	}, struct {
		DeliveryID string `json:"deliveryId"`
		EndpointID string `json:"endpointId"`
		EventID    string `json:"eventId"`
		Attempts   int    `json:"attempts"`
		StatusCode int    `json:"lastStatusCode,omitempty"`
	}{r.ID, r.EndpointID, r.EventID, attempts, statusCode})
}

// Notices gives what has yet to become an event, oldest first.
func (s *Store) Notices(ctx context.Context, limit int) ([]Notice, error) {
	var rows []noticeRow
	// A scan: there are none when all is well.
	if err := s.read.WithContext(ctx).Order("at, id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read notices: %w", translate(err))
	}
	list := make([]Notice, len(rows))
	for i, r := range rows {
		list[i] = Notice{
			ID: busbar.EventID(r.ID), Environment: busbar.Environment(r.Environment), Type: r.Type,
			About: busbar.EndpointID(r.EndpointID), Parent: busbar.EventID(r.ParentID), At: fromMicros(r.At),
			Data: json.RawMessage(r.Data),
		}
	}
	return list, nil
}

// ForgetNotice drops a notice that has become an event.
func (s *Store) ForgetNotice(ctx context.Context, id busbar.EventID) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		if err := tx.Exec("DELETE FROM notices WHERE id = ?", string(id)).Error; err != nil {
			return fmt.Errorf("forget notice: %w", err)
		}
		return nil
	})
}
