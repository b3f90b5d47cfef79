package store

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"busbar"
)

// EventFilter narrows a list of events; what is zero does not.
type EventFilter struct {
	// Type is a name, or the beginning of names and a star, as `push.*`.
	Type     string
	DeviceID busbar.DeviceID
	SiteID   busbar.SiteID
	// Since (inclusive) and Until (exclusive) compare with the time received.
	Since, Until time.Time
}

// DeliveryFilter narrows a list of deliveries; what is zero does not.
type DeliveryFilter struct {
	EndpointID busbar.EndpointID
	EventID    busbar.EventID
	Status     busbar.DeliveryStatus
	// Type is that of the event: a name, or the beginning of names and a star.
	Type string
	// Since (inclusive) and Until (exclusive) compare with the time the delivery was made.
	Since, Until time.Time
}

// Events gives events, newest first by the time received.
func (s *Store) Events(ctx context.Context, env busbar.Environment, f EventFilter, req busbar.PageRequest) (busbar.Page[busbar.Event], error) {
	if strings.HasSuffix(f.Type, "*") && f.DeviceID == "" {
		types, rare, err := rareTypes(s.read.WithContext(ctx), env, f.Type)
		if err != nil {
			return busbar.Page[busbar.Event]{}, err
		}
		if rare {
			// events_by_type
			q := s.read.WithContext(ctx).Where("environment = ? AND type IN ?", string(env), types)
			q = equal(q, hidden("site_id"), string(f.SiteID))
			return page(between(q, "+received_at", f.Since, f.Until), req, "+received_at", (*eventRow).position, (*eventRow).event)
		}
	}
	// events_by_device, events_by_site, events_by_type or events_list; a prefix of types that are frequent is looked for along them.
	q := s.read.WithContext(ctx).Where("environment = ?", string(env))
	q = equal(q, "device_id", string(f.DeviceID))
	q = equal(q, "site_id", string(f.SiteID))
	q = between(q, "received_at", f.Since, f.Until)
	q, err := ofType(q, "type", f.Type)
	if err != nil {
		return busbar.Page[busbar.Event]{}, err
	}
	return page(q, req, "received_at", (*eventRow).position, (*eventRow).event)
}

// Event gives one event, or NOT_FOUND.
func (s *Store) Event(ctx context.Context, env busbar.Environment, id busbar.EventID) (busbar.Event, error) {
	return takeEvent(s.read.WithContext(ctx), env, id)
}

// DeliveriesOfEvent gives all deliveries of an event, at most one an endpoint and one a test send, oldest first.
func (s *Store) DeliveriesOfEvent(ctx context.Context, env busbar.Environment, id busbar.EventID) ([]busbar.Delivery, error) {
	var rows []deliveryRow
	// deliveries_by_event
	err := s.read.WithContext(ctx).Where("environment = ? AND event_id = ?", string(env), string(id)).
		Order("created_at, id").Find(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read deliveries: %w", err))
	}
	list := make([]busbar.Delivery, 0, len(rows))
	for i := range rows {
		d, err := rows[i].delivery()
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// Deliveries gives deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, env busbar.Environment, f DeliveryFilter, req busbar.PageRequest) (busbar.Page[busbar.Delivery], error) {
	if f.Type != "" && f.EventID == "" {
		types, rare, err := rareTypes(s.read.WithContext(ctx), env, f.Type)
		if err != nil {
			return busbar.Page[busbar.Delivery]{}, err
		}
		if rare {
			// events_by_type, and deliveries_by_event for each.
			events := s.read.WithContext(ctx).Table("events").Select("id").Where("environment = ? AND type IN ?", string(env), types)
			q := s.read.WithContext(ctx).Where("environment = ? AND event_id IN (?)", string(env), events)
			q = equal(q, hidden("endpoint_id"), string(f.EndpointID))
			q = equal(q, hidden("status"), string(f.Status))
			return page(between(q, "+created_at", f.Since, f.Until), req, "+created_at", (*deliveryRow).position, (*deliveryRow).delivery)
		}
	}
	// deliveries_by_event, deliveries_by_endpoint, deliveries_by_status or deliveries_list.
	q := s.read.WithContext(ctx).Where("environment = ?", string(env))
	endpoint := "endpoint_id"
	if f.Status != "" && f.Status != busbar.DeliveryDelivered {
		// The condition of the partial index deliveries_by_status, which a bound value would hide from the planner. It has the
		// endpoint at its end: what is not delivered is looked through there, rather than all that went to the endpoint.
		q, endpoint = q.Where("status <> 'delivered'"), hidden(endpoint)
	}
	q = equal(q, endpoint, string(f.EndpointID))
	q = equal(q, "event_id", string(f.EventID))
	q = equal(q, "status", string(f.Status))
	q = between(q, "created_at", f.Since, f.Until)
	q, err := ofType(q, "event_type", f.Type)
	if err != nil {
		return busbar.Page[busbar.Delivery]{}, err
	}
	return page(q, req, "created_at", (*deliveryRow).position, (*deliveryRow).delivery)
}

// Delivery gives one delivery, or NOT_FOUND.
func (s *Store) Delivery(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error) {
	var row deliveryRow
	err := s.read.WithContext(ctx).Where("id = ? AND environment = ?", string(id), string(env)).Take(&row).Error
	if err != nil {
		return busbar.Delivery{}, notFound(err, "delivery", string(id))
	}
	return row.delivery()
}

// Attempts gives the attempts of a delivery in the order in which they were made.
func (s *Store) Attempts(ctx context.Context, id busbar.DeliveryID) ([]busbar.Attempt, error) {
	var rows []attemptRow
	// The primary keys of both: on PostgreSQL attempts may be there for some time after their delivery.
	err := s.read.WithContext(ctx).Where("delivery_id = ? AND EXISTS (SELECT 1 FROM deliveries WHERE id = ?)", string(id), string(id)).Order("number").Find(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read attempts: %w", err))
	}
	list := make([]busbar.Attempt, 0, len(rows))
	for i := range rows {
		a, err := rows[i].attempt()
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func equal(q *gorm.DB, column, value string) *gorm.DB {
	if value == "" {
		return q
	}
	return q.Where(column+" = ?", value)
}

func between(q *gorm.DB, column string, since, until time.Time) *gorm.DB {
	if !since.IsZero() {
		q = q.Where(column+" >= ?", since.UnixMicro())
	}
	if !until.IsZero() {
		q = q.Where(column+" < ?", until.UnixMicro())
	}
	return q
}

// ofType does not use LIKE: on SQLite it ignores case, and underscores are common in names.
func ofType(q *gorm.DB, column, pattern string) (*gorm.DB, error) {
	prefix, glob := strings.CutSuffix(pattern, "*")
	switch {
	case strings.Contains(prefix, "*"):
		return nil, busbar.Invalid("type", "invalid", "must be an event type, or the beginning of one and a star")
	case !glob:
		return equal(q, column, pattern), nil
	case prefix == "":
		return q, nil
	default:
		return q.Where(fmt.Sprintf("substr(%s, 1, ?) = ?", column), utf8.RuneCountInString(prefix), prefix), nil
	}
}
