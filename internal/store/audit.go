package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"busbar"
)

type auditRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	At          int64  `gorm:"column:at"`
	ActorID     string `gorm:"column:actor_id"`
	ActorName   string `gorm:"column:actor_name"`
	Address     string `gorm:"column:address"`
	Environment string `gorm:"column:environment"`
	Action      string `gorm:"column:action"`
	Target      string `gorm:"column:target"`
	Before      string `gorm:"column:before"`
	After       string `gorm:"column:after"`
}

// TableName names the table for gorm.
func (auditRow) TableName() string { return "audit_log" }

func (r *auditRow) position() position { return position{r.At, r.ID} }

func (r *auditRow) entry() (busbar.AuditEntry, error) {
	e := busbar.AuditEntry{
		ID: busbar.AuditID(r.ID), At: fromMicros(r.At), ActorID: r.ActorID, ActorName: r.ActorName,
		Address: r.Address, Environment: busbar.Environment(r.Environment), Action: r.Action, Target: r.Target,
	}
	if r.Before != "" {
		e.Before = json.RawMessage(r.Before)
	}
	if r.After != "" {
		e.After = json.RawMessage(r.After)
	}
	return e, nil
}

// AddAudit keeps an entry of the audit log.
func (s *Store) AddAudit(ctx context.Context, e *busbar.AuditEntry) error {
	row := auditRow{
		ID: string(e.ID), At: micros(e.At), ActorID: e.ActorID, ActorName: e.ActorName, Address: e.Address,
		Environment: string(e.Environment), Action: e.Action, Target: e.Target, Before: string(e.Before), After: string(e.After),
	}
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		if err := db.Create(&row).Error; err != nil {
			return fmt.Errorf("insert audit entry: %w", err)
		}
		return nil
	})
}

// purgeAccounts deletes sessions and login links that have expired, and audit entries that are too old.
func (s *Store) purgeAccounts(ctx context.Context, limit int) (int, error) {
	now := s.now()
	total := 0
	for statement, before := range map[string]int64{
		// sessions_expiry
		`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`: micros(now),
		// A scan of the few links that wait.
		`DELETE FROM login_links WHERE hash IN (SELECT hash FROM login_links WHERE expires_at < ? LIMIT ?)`: micros(now),
		// audit_log_list, backwards
		`DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < ? ORDER BY at LIMIT ?)`: micros(now.Add(-busbar.AuditTime)),
	} {
		n, err := s.purgeBatch(ctx, statement, before, limit)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
