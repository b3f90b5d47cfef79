package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
	"busbar/migrations"
)

// Claim is the right to send a delivery.
type Claim struct {
	// Owner is the workflow and the activity that sends.
	Owner string
	// Until is when another owner may take over.
	Until time.Time
	// Attempt is the number of the attempt that the owner makes.
	Attempt int
}

// ClaimOutcome says whether a delivery may be sent.
type ClaimOutcome string

// The outcomes of Claim.
const (
	// Claimed: send it.
	Claimed ClaimOutcome = "claimed"
	// ClaimClosed: the delivery is not pending (any more).
	ClaimClosed ClaimOutcome = "closed"
	// ClaimNotDue: its time has not come; Claimable.Wait tells when.
	ClaimNotDue ClaimOutcome = "not_due"
	// ClaimPaced: the endpoint gets no more deliveries just now; this one has a place in the line, and Claimable.Wait tells
	// how far away it is.
	ClaimPaced ClaimOutcome = "paced"
	// ClaimFull: the endpoint gets as many deliveries at once as it may.
	ClaimFull ClaimOutcome = "full"
	// ClaimHeld: another owner is sending; Claimable.Wait tells until when it may.
	ClaimHeld ClaimOutcome = "held"
)

// Claimable is what a claim found.
type Claimable struct {
	Outcome  ClaimOutcome
	Delivery busbar.Delivery
	// Attempt is the number of the attempt to make.
	Attempt int
	// Manual: a person asked for this attempt; the schedule goes on where it was.
	Manual bool
	Wait   time.Duration
}

// ClaimRequest asks for the right to send.
type ClaimRequest struct {
	DeliveryID busbar.DeliveryID
	// EndpointID and MaxInFlight say of which endpoint no more than so many are to be under way, in all processes together. Zero
	// is no limit.
	EndpointID  busbar.EndpointID
	MaxInFlight int
	Owner       string
	// For is how long the right lasts: the timeout of the attempt and a margin.
	For time.Duration
	// Unsent: the owner has the right already and knows that nothing was sent with it.
	Unsent bool
	// Also are the states, beside pending, of which the delivery may be sent, whatever its schedule says.
	Also []busbar.DeliveryStatus
	// Rate is how many deliveries a second the endpoint gets, from all workers together; zero is no limit.
	Rate float64
}

// interruptedError is what an attempt without a result has on record.
const interruptedError = "the process ended before the result was recorded; whether the endpoint was reached is not known"

// Claim takes the right to send a delivery, if it is due and nobody else has the right. An attempt that was begun and
// never finished is put on record as interrupted first.
func (s *Store) Claim(ctx context.Context, req ClaimRequest) (Claimable, error) {
	var c Claimable
	err := s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		var err error
		c, err = s.claim(tx, req)
		return err
	})
	return c, err
}

func (s *Store) claim(tx *gorm.DB, req ClaimRequest) (Claimable, error) {
	// Before the delivery's row, as all who claim do, so that two never wait for each other.
	if err := s.lockPlaces(tx, []Fresh{{req.DeliveryID, req.EndpointID, req.MaxInFlight}}); err != nil {
		return Claimable{}, err
	}
	var row deliveryRow
	if err := s.forUpdate(tx).Where("id = ?", string(req.DeliveryID)).Take(&row).Error; err != nil {
		return Claimable{}, notFound(err, "delivery", string(req.DeliveryID))
	}
	d, err := row.delivery()
	if err != nil {
		return Claimable{}, err
	}
	now := s.now()
	c := Claimable{Delivery: d}
	switch {
	case d.Status != busbar.DeliveryPending && !slices.Contains(req.Also, d.Status):
		c.Outcome = ClaimClosed
		return c, s.recordCut(tx, &row, req)
	case row.ClaimOwner != "" && row.ClaimOwner != req.Owner && micros(now) < row.ClaimUntil:
		c.Outcome, c.Wait = ClaimHeld, fromMicros(row.ClaimUntil).Sub(now)
		return c, nil
	case d.Status == busbar.DeliveryPending && !d.RetryNow && now.Before(d.NextAttemptAt):
		c.Outcome, c.Wait = ClaimNotDue, d.NextAttemptAt.Sub(now)
		return c, nil
	}
	free, err := s.withPlace(tx, []Fresh{{req.DeliveryID, req.EndpointID, req.MaxInFlight}}, now)
	if err != nil || len(free) == 0 {
		c.Outcome = ClaimFull
		return c, err
	}
	if wait, err := s.pace(tx, &row, req.Rate, now); err != nil || wait > 0 {
		c.Outcome, c.Wait = ClaimPaced, wait
		return c, err
	}
	if row.ClaimAttempt > row.Attempts && (!req.Unsent || row.ClaimOwner != req.Owner) {
		if err := s.recordInterrupted(tx, &row); err != nil {
			return Claimable{}, err
		}
		c.Delivery.Attempts = row.Attempts
	}
	c.Outcome, c.Attempt = Claimed, row.Attempts+1
	c.Manual = d.RetryNow && now.Before(d.NextAttemptAt)
	err = tx.Model(&deliveryRow{}).Where("id = ?", row.ID).Updates(map[string]any{
		"claim_owner": req.Owner, "claim_until": micros(now.Add(req.For)), "claim_attempt": c.Attempt, "attempts": row.Attempts,
	}).Error
	if err != nil {
		return Claimable{}, fmt.Errorf("claim delivery: %w", err)
	}
	return c, nil
}

func (s *Store) recordInterrupted(tx *gorm.DB, row *deliveryRow) error {
	row.Attempts = row.ClaimAttempt
	a, err := newAttemptRow(&busbar.Attempt{
		DeliveryID: busbar.DeliveryID(row.ID), Number: row.ClaimAttempt, At: s.now(),
		ErrorClass: busbar.AttemptInterrupted, Error: interruptedError,
	})
	if err != nil {
		return err
	}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&a).Error; err != nil {
		return fmt.Errorf("record interrupted attempt: %w", err)
	}
	return nil
}

// recordCut puts on record the attempt that an owner had under way when its delivery was closed.
func (s *Store) recordCut(tx *gorm.DB, row *deliveryRow, req ClaimRequest) error {
	if row.ClaimOwner != req.Owner || row.ClaimAttempt <= row.Attempts {
		return nil
	}
	if !req.Unsent {
		if err := s.recordInterrupted(tx, row); err != nil {
			return err
		}
	}
	err := tx.Model(&deliveryRow{}).Where("id = ?", row.ID).Updates(map[string]any{
		"claim_owner": "", "claim_until": 0, "claim_attempt": row.Attempts, "attempts": row.Attempts,
	}).Error
	if err != nil {
		return fmt.Errorf("end claim: %w", err)
	}
	return nil
}

// Unclaim gives the right back when nothing was sent.
func (s *Store) Unclaim(ctx context.Context, owner string, ids ...busbar.DeliveryID) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		err := tx.Exec(`UPDATE deliveries SET claim_owner = '', claim_until = 0, claim_attempt = attempts
			WHERE id IN ? AND claim_owner = ?`, deliveryIDs(ids), owner).Error
		if err != nil {
			return fmt.Errorf("give claim back: %w", err)
		}
		return nil
	})
}

// CloseDelivery ends a pending or parked delivery without an attempt: its endpoint is gone, or a person cancelled it. It reports
// whether the delivery was open.
func (s *Store) CloseDelivery(ctx context.Context, id busbar.DeliveryID, status busbar.DeliveryStatus, reason string) (bool, error) {
	var open bool
	err := s.write(ctx, s.durable, func(tx *gorm.DB) error {
		completed := int64(0)
		if status != busbar.DeliveryParked {
			completed = micros(s.now())
		}
		res := tx.Exec(`UPDATE deliveries SET status = ?, last_error = ?, completed_at = ?, retry_now = FALSE
			WHERE id = ? AND status IN ('pending', 'parked')`, string(status), reason, completed, string(id))
		if res.Error != nil {
			return fmt.Errorf("close delivery: %w", res.Error)
		}
		open = res.RowsAffected == 1
		return nil
	})
	return open, err
}

// RequestRetry makes a delivery due now. One that is pending keeps its schedule; one that has ended or is parked is
// opened again under another workflow, and its schedule goes on where it was. It reports whether an attempt is under way, which is
// then the one that was asked for.
func (s *Store) RequestRetry(
	ctx context.Context, env busbar.Environment, id busbar.DeliveryID, reopened func(busbar.Delivery) (workflowID string),
) (d busbar.Delivery, underWay bool, err error) {
	err = s.write(ctx, s.durable, func(tx *gorm.DB) error {
		var row deliveryRow
		err := s.forUpdate(tx).Where("id = ? AND environment = ?", string(id), string(env)).Take(&row).Error
		if err != nil {
			return notFound(err, "delivery", string(id))
		}
		if d, err = row.delivery(); err != nil {
			return err
		}
		set := map[string]any{"retry_now": true}
		d.RetryNow = true
		switch d.Status {
		case busbar.DeliveryPending:
			underWay = row.ClaimOwner != "" && micros(s.now()) < row.ClaimUntil
		case busbar.DeliveryParked, busbar.DeliveryDelivered, busbar.DeliveryFailed, busbar.DeliveryCancelled:
			d.Status, d.NextAttemptAt, d.CompletedAt = busbar.DeliveryPending, s.now(), time.Time{}
			d.WorkflowID = reopened(d)
			set["status"], set["next_attempt_at"], set["completed_at"] = string(d.Status), micros(d.NextAttemptAt), 0
			set["workflow_id"] = d.WorkflowID
		}
		if err := tx.Model(&deliveryRow{}).Where("id = ?", row.ID).Updates(set).Error; err != nil {
			return fmt.Errorf("request retry: %w", err)
		}
		return nil
	})
	return d, underWay, err
}

// forUpdate locks the rows it reads. SQLite has one writer, and needs no lock.
func (s *Store) forUpdate(tx *gorm.DB) *gorm.DB {
	if s.dialect == migrations.Postgres {
		return tx.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	return tx
}

// Overdue gives pending deliveries whose time came before a time and that nobody holds, in the order of that time,
// after a position.
func (s *Store) Overdue(ctx context.Context, before time.Time, after OverduePosition, limit int) ([]busbar.Delivery, OverduePosition, error) {
	var rows []deliveryRow
	// deliveries_due
	err := s.read.WithContext(ctx).
		Where("status = 'pending' AND next_attempt_at < ? AND claim_until < ? AND (next_attempt_at, id) > (?, ?)",
			micros(before), micros(s.now()), after.at, after.id).
		Order("next_attempt_at, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, after, fmt.Errorf("read overdue deliveries: %w", translate(err))
	}
	overdue, err := deliveries(rows)
	if len(rows) > 0 {
		last := rows[len(rows)-1]
		after = OverduePosition{last.NextAttemptAt, last.ID}
	}
	return overdue, after, err
}

func deliveries(rows []deliveryRow) ([]busbar.Delivery, error) {
	var errs []error
	list := make([]busbar.Delivery, len(rows))
	for i := range rows {
		var err error
		list[i], err = rows[i].delivery()
		errs = append(errs, err)
	}
	return list, errors.Join(errs...)
}

// Hurried gives up to limit pending deliveries that a person wants tried now and that nobody is sending.
func (s *Store) Hurried(ctx context.Context, limit int) ([]busbar.Delivery, error) {
	var rows []deliveryRow
	// A scan of deliveries_due: the pending are few beside the others.
	err := s.read.WithContext(ctx).Where("status = 'pending' AND retry_now AND claim_until < ?", micros(s.now())).
		Order("next_attempt_at, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read hurried deliveries: %w", translate(err))
	}
	return deliveries(rows)
}

// OverduePosition is where a page of Overdue ended.
type OverduePosition struct {
	at int64
	id string
}

// MoveDelivery hands an open delivery to another workflow.
func (s *Store) MoveDelivery(ctx context.Context, id busbar.DeliveryID, workflowID string) error {
	return s.write(ctx, s.durable, func(tx *gorm.DB) error {
		err := tx.Exec("UPDATE deliveries SET workflow_id = ? WHERE id = ? AND status = 'pending'", workflowID, string(id)).Error
		if err != nil {
			return fmt.Errorf("move delivery: %w", err)
		}
		return nil
	})
}
