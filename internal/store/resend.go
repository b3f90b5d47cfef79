package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"busbar"
	"busbar/rules"
)

// CountJob finds out how much a job has to send, once.
func (s *Store) CountJob(ctx context.Context, j *busbar.Job, e *busbar.Endpoint) error {
	if j.Counted {
		return nil
	}
	count := s.countRecover
	if j.Kind == busbar.JobReplay {
		count = s.countReplay
	}
	total, err := count(ctx, j, e)
	if err != nil {
		return err
	}
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		err := tx.Exec("UPDATE jobs SET total = ?, counted = TRUE WHERE id = ? AND NOT counted", total, string(j.ID)).Error
		if err != nil {
			return fmt.Errorf("keep size of %s: %w", j.ID, err)
		}
		return nil
	})
}

// missed are the deliveries of one status that a recovering job has yet to send. What a younger job has sent is not among them: were it
// so, two jobs at once would send everything again and again, each what the other has sent.
func (s *Store) missed(ctx context.Context, j *busbar.Job, status busbar.DeliveryStatus) *gorm.DB {
	q := s.read.WithContext(ctx).Where("endpoint_id = ? AND environment = ?", string(j.EndpointID), string(j.Environment))
	switch status {
	case busbar.DeliveryFailed:
		q = q.Where("status = 'failed'") // deliveries_failed
	case busbar.DeliveryParked:
		q = q.Where("status = 'parked'") // deliveries_parked
	case busbar.DeliveryPending, busbar.DeliveryDelivered, busbar.DeliveryCancelled:
		q = q.Where("status = ?", string(status)) // deliveries_by_endpoint
	}
	return q.Where("created_at >= ? AND created_at < ? AND NOT single AND resent_by < ? AND kept_for = ''",
		micros(j.Since), micros(j.Until), string(j.ID))
}

func (s *Store) countRecover(ctx context.Context, j *busbar.Job, _ *busbar.Endpoint) (int, error) {
	total := int64(0)
	for _, status := range j.Statuses {
		var n int64
		if err := s.missed(ctx, j, status).Model(&deliveryRow{}).Count(&n).Error; err != nil {
			return 0, fmt.Errorf("count deliveries of %s: %w", j.ID, translate(err))
		}
		total += n
	}
	return int(total), nil
}

// Missed gives the next deliveries that a recovering job has to send, in the order in which their events happened.
func (s *Store) Missed(ctx context.Context, j *busbar.Job, limit int) ([]busbar.Delivery, error) {
	var all []deliveryRow
	for _, status := range j.Statuses {
		var rows []deliveryRow
		if err := s.missed(ctx, j, status).Order("event_at, id").Limit(limit).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read deliveries of %s: %w", j.ID, translate(err))
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b deliveryRow) int {
		return cmp.Or(cmp.Compare(a.EventAt, b.EventAt), cmp.Compare(a.ID, b.ID))
	})
	return deliveries(all[:min(limit, len(all))])
}

// unmatched are the events of a job's window that its endpoint was never to get.
const unmatched = ` FROM events e WHERE e.environment = ? AND e.received_at >= ? AND e.received_at < ?
	AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.environment = e.environment AND d.event_id = e.id AND d.endpoint_id = ?)`

func unmatchedArgs(j *busbar.Job) []any {
	return []any{string(j.Environment), micros(j.Since), micros(j.Until), string(j.EndpointID)}
}

func (s *Store) countReplay(ctx context.Context, j *busbar.Job, e *busbar.Endpoint) (int, error) {
	var byType []struct {
		Type string
		N    int
	}
	// events_list; deliveries_by_event for each.
	err := s.read.WithContext(ctx).Raw("SELECT e.type, COUNT(*) AS n"+unmatched+" AND e.flags NOT LIKE '%test%' GROUP BY e.type",
		unmatchedArgs(j)...).Scan(&byType).Error
	if err != nil {
		return 0, fmt.Errorf("count events of %s: %w", j.ID, translate(err))
	}
	total := 0
	for _, t := range byType {
		if e.Wants(t.Type) {
			total += t.N
		}
	}
	return total, nil
}

// Unmatched gives the next deliveries that a replaying job has to send. They are made here, a page at a time, and belong to
// the job until they are sent. For a job that does not run (any more) none are made: that is a CONFLICT, and no end of its work.
func (s *Store) Unmatched(ctx context.Context, j *busbar.Job, e *busbar.Endpoint, workflowID string, limit int) ([]busbar.Delivery, error) {
	for {
		var rows []deliveryRow
		// deliveries_parked
		err := s.read.WithContext(ctx).Where("endpoint_id = ? AND status = 'parked' AND kept_for = ?", string(j.EndpointID), string(j.ID)).
			Order("event_at, id").Limit(limit).Find(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("read deliveries of %s: %w", j.ID, translate(err))
		}
		if len(rows) > 0 {
			return deliveries(rows)
		}
		more, err := s.match(ctx, j, e, workflowID, limit)
		if err != nil || !more {
			return nil, err
		}
	}
}

// match makes deliveries of the next events of a job's window. It reports whether there were any events.
func (s *Store) match(ctx context.Context, j *busbar.Job, e *busbar.Endpoint, workflowID string, limit int) (bool, error) {
	var some bool
	err := s.write(ctx, s.durable, func(tx *gorm.DB) error {
		// Two jobs of one endpoint take turns, so that none makes what the other has made.
		var ids []string
		if err := s.forUpdate(tx).Table("endpoints").Where("id = ?", string(j.EndpointID)).Pluck("id", &ids).Error; err != nil {
			return fmt.Errorf("lock endpoint: %w", err)
		}
		var job jobRow
		if err := s.forUpdate(tx).Where("id = ?", string(j.ID)).Take(&job).Error; err != nil {
			return notFound(err, "job", string(j.ID))
		}
		switch {
		case len(ids) == 0:
			return busbar.NotFound("endpoint", string(j.EndpointID))
		case job.Status != string(busbar.JobRunning):
			return busbar.Errorf(busbar.CodeConflict, "the job is %s", job.Status)
		}
		var events []eventRow
		// events_list
		err := tx.Raw("SELECT e.*"+unmatched+" AND (e.received_at, e.id) > (?, ?) ORDER BY e.received_at, e.id LIMIT ?",
			append(unmatchedArgs(j), job.CursorAt, job.CursorID, limit)...).Scan(&events).Error
		if err != nil {
			return fmt.Errorf("read events of %s: %w", j.ID, err)
		}
		if some = len(events) > 0; !some {
			return nil
		}
		if err := s.matchAll(tx, events, j, e, workflowID); err != nil {
			return err
		}
		last := events[len(events)-1]
		err = tx.Exec("UPDATE jobs SET cursor_at = ?, cursor_id = ? WHERE id = ?", last.ReceivedAt, last.ID, job.ID).Error
		if err != nil {
			return fmt.Errorf("move %s on: %w", j.ID, err)
		}
		return nil
	})
	return some, err
}

func (s *Store) matchAll(tx *gorm.DB, events []eventRow, j *busbar.Job, e *busbar.Endpoint, workflowID string) error {
	var filter *rules.Filter
	if e.Filter != "" {
		var err error
		if filter, err = rules.CompileFilter(e.Filter); err != nil {
			return fmt.Errorf("compile filter of %s: %w", e.ID, err)
		}
	}
	made, unwanted := make([]deliveryRow, 0, len(events)), 0
	for i := range events {
		row, wanted, err := s.matchOne(&events[i], j, e, workflowID)
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		if filter != nil {
			ok, err := filter.Match(row.EventType, []byte(events[i].Data))
			if err == nil && !ok {
				unwanted++
				continue
			}
			if err != nil {
				row.FilterError = err.Error()
			}
		}
		made = append(made, row)
	}
	if err := discount(tx, j.ID, unwanted); err != nil {
		return err
	}
	if len(made) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(&made, insertBatch).Error; err != nil {
		return fmt.Errorf("insert deliveries of %s: %w", j.ID, err)
	}
	return nil
}

// discount takes events out of a job's total that were counted by their type alone, and are not wanted by what they say.
func discount(tx *gorm.DB, id busbar.JobID, unwanted int) error {
	if unwanted == 0 {
		return nil
	}
	if err := tx.Exec("UPDATE jobs SET total = total - ? WHERE id = ?", unwanted, string(id)).Error; err != nil {
		return fmt.Errorf("discount events of %s: %w", id, err)
	}
	return nil
}

// matchOne makes the delivery of an event, if the endpoint wants it. An endpoint is not told about itself.
func (s *Store) matchOne(row *eventRow, j *busbar.Job, e *busbar.Endpoint, workflowID string) (deliveryRow, bool, error) {
	event, err := row.event()
	if err != nil {
		return deliveryRow{}, false, err
	}
	if !e.Wants(event.Type) || slices.Contains(event.Flags, busbar.FlagTest) {
		return deliveryRow{}, false, nil
	}
	if busbar.Operational(event.Type) {
		var about struct {
			EndpointID busbar.EndpointID `json:"endpointId"`
		}
		if err := json.Unmarshal(event.Data, &about); err == nil && about.EndpointID == e.ID {
			return deliveryRow{}, false, nil
		}
	}
	d := newDeliveryRow(&busbar.Delivery{
		ID: busbar.NewDeliveryID(), Environment: j.Environment, EventID: event.ID, EventType: event.Type,
		EndpointID: e.ID, Status: busbar.DeliveryParked, WorkflowID: workflowID, CreatedAt: s.now(),
	})
	d.EventAt, d.KeptFor = row.Timestamp, string(j.ID)
	return d, true, nil
}
