package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// Bucket counts the deliveries that were made in one stretch of time, by how they stand now. EndpointID is empty when the
// counts are of a whole environment.
type Bucket struct {
	EndpointID busbar.EndpointID
	Start      time.Time
	Status     busbar.DeliveryStatus
	Count      int
}

type bucketRow struct {
	EndpointID string `gorm:"column:endpoint_id"`
	Bucket     int64  `gorm:"column:bucket"`
	Status     string `gorm:"column:status"`
	Count      int    `gorm:"column:count"`
}

// CountMade counts the deliveries that were made in each stretch of time, whatever their status. A stretch that is over
// keeps its count until its deliveries are purged, so callers may remember it.
func (s *Store) CountMade(ctx context.Context, env busbar.Environment, since, until time.Time, width time.Duration, perEndpoint bool) ([]Bucket, error) {
	// Index only: deliveries_list.
	return s.countDeliveries(ctx, env, since, until, width, perEndpoint, "''", "")
}

// CountUndelivered counts what was made in each stretch of time and is not delivered, by status.
func (s *Store) CountUndelivered(ctx context.Context, env busbar.Environment, since, until time.Time, width time.Duration, perEndpoint bool) ([]Bucket, error) {
	// Index only: deliveries_by_status, which has only these. It is searched by status, so each of them is named.
	return s.countDeliveries(ctx, env, since, until, width, perEndpoint, "status",
		"status <> 'delivered' AND status IN ('pending', 'parked', 'failed', 'cancelled')")
}

func (s *Store) countDeliveries(
	ctx context.Context, env busbar.Environment, since, until time.Time, width time.Duration, perEndpoint bool, status, only string,
) ([]Bucket, error) {
	endpoint := "''"
	if perEndpoint {
		endpoint = "endpoint_id"
	}
	us := strconv.FormatInt(width.Microseconds(), 10)
	groups := []string{"bucket"}
	for _, column := range []string{endpoint, status} {
		if column != "''" {
			groups = append(groups, column)
		}
	}
	q := s.read.WithContext(ctx).Table("deliveries").
		Select(fmt.Sprintf("%s AS endpoint_id, created_at / %s AS bucket, %s AS status, count(*) AS count", endpoint, us, status)).
		Where("environment = ? AND created_at >= ? AND created_at < ?", string(env), micros(since), micros(until)).
		Group(strings.Join(groups, ", "))
	if only != "" {
		q = q.Where(only)
	}
	var rows []bucketRow
	if err := q.Scan(&rows).Error; err != nil {
		return nil, translate(fmt.Errorf("count deliveries: %w", err))
	}
	buckets := make([]Bucket, len(rows))
	for i, r := range rows {
		buckets[i] = Bucket{
			EndpointID: busbar.EndpointID(r.EndpointID), Start: fromMicros(r.Bucket * width.Microseconds()),
			Status: busbar.DeliveryStatus(r.Status), Count: r.Count,
		}
	}
	return buckets, nil
}

// CountEvents counts the events that were received in a stretch of time.
func (s *Store) CountEvents(ctx context.Context, env busbar.Environment, since, until time.Time) (int, error) {
	var n int64
	// Index only: events_list.
	err := s.read.WithContext(ctx).Table("events").
		Where("environment = ? AND received_at >= ? AND received_at < ?", string(env), micros(since), micros(until)).Count(&n).Error
	if err != nil {
		return 0, translate(fmt.Errorf("count events: %w", err))
	}
	return int(n), nil
}

// CountDeliveries counts the deliveries of an environment in a status other than delivered, up to a bound.
func (s *Store) CountDeliveries(ctx context.Context, env busbar.Environment, status busbar.DeliveryStatus, most int) (int, error) {
	n, err := countUpTo(s.read.WithContext(ctx), env, status, most)
	return n, translate(err)
}

func countUpTo(db *gorm.DB, env busbar.Environment, status busbar.DeliveryStatus, most int) (int, error) {
	var n int
	// deliveries_by_status
	err := db.Raw(`SELECT count(*) FROM (SELECT 1 FROM deliveries
		WHERE environment = ? AND status = ? AND status <> 'delivered' LIMIT ?) AS bounded`, string(env), string(status), most).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count deliveries: %w", err)
	}
	return n, nil
}

// mostWatched bounds what looking for changes counts.
const mostWatched = 1000

// Watermark is a text that changes whenever an event or a delivery of an environment was made, tried or ended, an endpoint
// was saved, or a job got on. Asking costs a few index look-ups.
func (s *Store) Watermark(ctx context.Context, env busbar.Environment) (string, error) {
	db := s.read.WithContext(ctx)
	var w struct {
		Event, Delivery     string
		First, Last         int64
		Generation          int64
		Failed, LastPending int64
		Jobs                string
	}
	// events_list; deliveries_list; deliveries_due; the primary key of environments; deliveries_by_status; jobs_list and
	// jobs_open: few jobs are open at a time.
	err := db.Raw(`SELECT
		COALESCE((SELECT id FROM events WHERE environment = @env ORDER BY received_at DESC, id DESC LIMIT 1), '') AS event,
		COALESCE((SELECT id FROM deliveries WHERE environment = @env ORDER BY created_at DESC, id DESC LIMIT 1), '') AS delivery,
		COALESCE((SELECT min(next_attempt_at) FROM deliveries WHERE status = 'pending'), 0) AS first,
		COALESCE((SELECT max(next_attempt_at) FROM deliveries WHERE status = 'pending'), 0) AS last,
		COALESCE((SELECT generation FROM environments WHERE environment = @env), 0) AS generation,
		COALESCE((SELECT max(created_at) FROM deliveries WHERE environment = @env AND status = 'failed'), 0) AS failed,
		COALESCE((SELECT max(created_at) FROM deliveries WHERE environment = @env AND status = 'pending'), 0) AS last_pending,
		(SELECT COALESCE(max(id), '') || '.' || count(*) || '.' || COALESCE(sum(total + done + failed), 0) || '.' || count(CASE WHEN status = 'paused' THEN 1 END)
			FROM jobs WHERE environment = @env AND status IN ('running', 'paused')) AS jobs`,
		map[string]any{"env": string(env)}).Scan(&w).Error
	if err != nil {
		return "", translate(fmt.Errorf("look for changes: %w", err))
	}
	var mark strings.Builder
	fmt.Fprintf(&mark, "%s.%s.%d.%d.%d.%d.%d.%s", w.Event, w.Delivery, w.First, w.Last, w.Generation, w.Failed, w.LastPending, w.Jobs)
	for _, status := range []busbar.DeliveryStatus{
		busbar.DeliveryPending, busbar.DeliveryParked, busbar.DeliveryFailed, busbar.DeliveryCancelled,
	} {
		n, err := countUpTo(db, env, status, mostWatched)
		if err != nil {
			return "", translate(err)
		}
		mark.WriteString("." + strconv.Itoa(n))
	}
	return mark.String(), nil
}
