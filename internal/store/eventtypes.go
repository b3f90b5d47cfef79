package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"busbar"
)

// eventTypeRow is a row of event_types.
type eventTypeRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	Name        string `gorm:"column:name;primaryKey"`
	Description string `gorm:"column:description"`
	Schema      string `gorm:"column:schema"`
	// Example is empty when none was given.
	Example   string `gorm:"column:example"`
	CreatedAt int64  `gorm:"column:created_at"`
}

// TableName names the table for gorm.
func (eventTypeRow) TableName() string { return "event_types" }

func (r *eventTypeRow) position() position { return position{r.CreatedAt, r.Name} }

func (r *eventTypeRow) eventType() (busbar.EventType, error) {
	t := busbar.EventType{
		Environment: busbar.Environment(r.Environment), Name: r.Name, Description: r.Description,
		Schema: json.RawMessage(r.Schema), CreatedAt: fromMicros(r.CreatedAt),
	}
	if r.Example != "" {
		t.Example = json.RawMessage(r.Example)
	}
	return t, nil
}

// CreateEventType registers a custom type. A name that is taken, by a built-in type too, and a type beyond
// busbar.MaxEventTypes are CONFLICT.
func (tx *Tx) CreateEventType(t *busbar.EventType) error {
	taken := busbar.Errorf(busbar.CodeConflict, "the event type %q exists already", t.Name)
	if _, ok := busbar.LookUpBuiltIn(t.Name); ok {
		return taken
	}
	// Only one at a time registers, so that the count below holds.
	if err := tx.store.raiseGeneration(tx.db, t.Environment); err != nil {
		return err
	}
	var have int64
	err := tx.db.Model(&eventTypeRow{}).Where("environment = ?", string(t.Environment)).Count(&have).Error
	if err != nil {
		return fmt.Errorf("count event types: %w", err)
	}
	row := eventTypeRow{
		Environment: string(t.Environment), Name: t.Name, Description: t.Description,
		Schema: string(t.Schema), Example: string(t.Example), CreatedAt: micros(t.CreatedAt),
	}
	var same int64
	err = tx.db.Model(&eventTypeRow{}).Where("environment = ? AND name = ?", row.Environment, row.Name).Count(&same).Error
	if err != nil {
		return fmt.Errorf("look for event type: %w", err)
	}
	if same > 0 {
		return taken
	}
	if have >= busbar.MaxEventTypes {
		return busbar.Errorf(busbar.CodeConflict, "an environment has at most %d event types of its own", busbar.MaxEventTypes)
	}
	if err := tx.db.Create(&row).Error; err != nil {
		return fmt.Errorf("insert event type: %w", err)
	}
	return nil
}

// ListEventTypes gives the custom types of an environment, newest first. The built-in ones are not rows.
func (s *Store) ListEventTypes(ctx context.Context, env busbar.Environment, req busbar.PageRequest) (busbar.Page[busbar.EventType], error) {
	db := s.read.WithContext(ctx)
	// At most busbar.MaxEventTypes rows, so that sorting them is cheap. Pages cut by a column named id.
	q := db.Table("(?) AS types", db.Model(&eventTypeRow{}).Select("*, name AS id").Where("environment = ?", string(env)))
	return page(q, req, "created_at", (*eventTypeRow).position, (*eventTypeRow).eventType)
}

// EventType gives a type by its name, built-in or custom, or NOT_FOUND. Types never change and are never removed.
func (s *Store) EventType(ctx context.Context, env busbar.Environment, name string) (busbar.EventType, error) {
	if t, ok := busbar.LookUpBuiltIn(name); ok {
		return t, nil
	}
	var row eventTypeRow
	err := s.read.WithContext(ctx).Where("environment = ? AND name = ?", string(env), name).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return busbar.EventType{}, busbar.Errorf(busbar.CodeNotFound, "there is no event type %q", name)
	}
	if err != nil {
		return busbar.EventType{}, translate(fmt.Errorf("read event type: %w", err))
	}
	return row.eventType()
}
