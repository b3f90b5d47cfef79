package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

// faultRow is a row of device_faults.
type faultRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	DeviceID    string `gorm:"column:device_id;primaryKey"`
	Kind        string `gorm:"column:kind;primaryKey"`
	Until       int64  `gorm:"column:until"`
	Delay       int64  `gorm:"column:delay"`
	CreatedAt   int64  `gorm:"column:created_at"`
	// ID tells faults apart in a page.
	ID string `gorm:"column:id;->"`
}

// TableName names the table for gorm.
func (faultRow) TableName() string { return "device_faults" }

func (r *faultRow) position() position { return position{r.CreatedAt, r.ID} }

func (r *faultRow) fault() (busbar.Fault, error) {
	return busbar.Fault{
		Environment: busbar.Environment(r.Environment), DeviceID: busbar.DeviceID(r.DeviceID), Kind: busbar.FaultKind(r.Kind),
		Until: fromMicros(r.Until), Delay: time.Duration(r.Delay) * time.Microsecond, CreatedAt: fromMicros(r.CreatedAt),
	}, nil
}

// SetFault has a simulated device misbehave; one of the same kind is replaced.
func (s *Store) SetFault(ctx context.Context, f *busbar.Fault) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		row := faultRow{
			Environment: string(f.Environment), DeviceID: string(f.DeviceID), Kind: string(f.Kind),
			Until: micros(f.Until), Delay: f.Delay.Microseconds(), CreatedAt: micros(f.CreatedAt),
		}
		err := db.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "environment"}, {Name: "device_id"}, {Name: "kind"}},
			DoUpdates: clause.AssignmentColumns([]string{"until", "delay", "created_at"}),
		}).Omit("id").Create(&row).Error
		if err != nil {
			return fmt.Errorf("set fault: %w", err)
		}
		return nil
	})
}

// ClearFaults has a simulated device behave again.
func (s *Store) ClearFaults(ctx context.Context, env busbar.Environment, id busbar.DeviceID) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		err := db.Where("environment = ? AND device_id = ?", string(env), string(id)).Delete(&faultRow{}).Error
		if err != nil {
			return fmt.Errorf("clear faults: %w", err)
		}
		return nil
	})
}

// Faults gives the faults that are in force, newest first; of one device when id is given.
func (s *Store) Faults(ctx context.Context, env busbar.Environment, id busbar.DeviceID, req busbar.PageRequest) (busbar.Page[busbar.Fault], error) {
	// The primary key of device_faults: they are few.
	inner := s.read.WithContext(ctx).Table("device_faults").Select("device_faults.*, device_id || ':' || kind AS id").
		Where("environment = ? AND until > ?", string(env), micros(s.now()))
	inner = equal(inner, "device_id", string(id))
	return page(s.read.WithContext(ctx).Table("(?) AS faults", inner), req, "created_at", (*faultRow).position, (*faultRow).fault)
}

// FaultInForce reports whether a simulated device now misbehaves in this way.
func (s *Store) FaultInForce(ctx context.Context, env busbar.Environment, id busbar.DeviceID, kind busbar.FaultKind) (bool, error) {
	var found bool
	// The primary key of device_faults.
	err := s.read.WithContext(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM device_faults
		WHERE environment = ? AND device_id = ? AND kind = ? AND until > ?)`,
		string(env), string(id), string(kind), micros(s.now())).Scan(&found).Error
	if err != nil {
		return false, fmt.Errorf("look for a fault: %w", translate(err))
	}
	return found, nil
}
