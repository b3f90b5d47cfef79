package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// AuditFilter narrows the audit log; what is zero does not.
type AuditFilter struct {
	// ActorID is that of a user or an API key, which may be gone.
	ActorID string
	// Action is a kind of action, or the beginning of kinds and a star, as `endpoint.*`.
	Action string
	// Target is the id of what something was done to.
	Target      string
	Environment busbar.Environment
	// Shared is what concerns both environments; Environment is empty then.
	Shared bool
	// Since (inclusive) and Until (exclusive).
	Since, Until time.Time
}

// Actor is somebody, or a program, that is in the audit log, under the name that it had last.
type Actor struct{ ID, Name string }

const (
	// rareEntries is how many entries are all read, rather than looked for along an index.
	rareEntries = 2000
	// mostActors bounds how many of those who are in the audit log are offered to choose from.
	mostActors = 500
	// mostAuditActions is more than there are routes.
	mostAuditActions = 500
)

// auditCondition is one of a filter: a column is one of some values. Each column has an index of its own.
type auditCondition struct {
	column string
	values []string
	// entries is how many there are, counted up to rareEntries and one more.
	entries int
}

// Audit gives the audit log, newest first.
func (s *Store) Audit(ctx context.Context, f AuditFilter, req busbar.PageRequest) (busbar.Page[busbar.AuditEntry], error) {
	db := s.read.WithContext(ctx)
	conditions, err := auditConditions(db, &f)
	if err != nil {
		return busbar.Page[busbar.AuditEntry]{}, err
	}
	// audit_log_by_actor, …_action, …_target or …_environment, whichever has the fewest, and audit_log_list for what is frequent
	// under several kinds. Of two conditions that are frequent each and rare together, the first is looked along.
	q, at := db, "at"
	for i, c := range conditions {
		switch {
		case i > 0 || len(c.values) != 1 && c.entries > rareEntries:
			q = q.Where(hidden(c.column)+" IN ?", c.values)
		case len(c.values) == 1:
			q = q.Where(c.column+" = ?", c.values[0])
		default:
			q, at = q.Where(c.column+" IN ?", c.values), "+at"
		}
	}
	return page(between(q, at, f.Since, f.Until), req, at, (*auditRow).position, (*auditRow).entry)
}

// auditConditions are those of a filter, the one with the fewest entries first.
func auditConditions(db *gorm.DB, f *AuditFilter) ([]auditCondition, error) {
	var list []auditCondition
	if f.ActorID != "" {
		list = append(list, auditCondition{column: "actor_id", values: []string{f.ActorID}})
	}
	if f.Target != "" {
		list = append(list, auditCondition{column: "target", values: []string{f.Target}})
	}
	if f.Environment != "" || f.Shared {
		list = append(list, auditCondition{column: "environment", values: []string{string(f.Environment)}})
	}
	if prefix, glob := strings.CutSuffix(f.Action, "*"); glob {
		kinds, err := auditValues(db, "action", mostAuditActions)
		if err != nil {
			return nil, err
		}
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return !strings.HasPrefix(kind, prefix) })
		list = append(list, auditCondition{column: "action", values: kinds})
	} else if f.Action != "" {
		list = append(list, auditCondition{column: "action", values: []string{f.Action}})
	}
	if len(list) > 1 || len(list) == 1 && len(list[0].values) != 1 {
		for i := range list {
			if err := list[i].count(db, f); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(list, func(a, b auditCondition) int { return a.entries - b.entries })
	return list, nil
}

// count reads the condition's index alone.
func (c *auditCondition) count(db *gorm.DB, f *AuditFilter) error {
	found := between(db.Table("audit_log").Select("1").Where(c.column+" IN ?", c.values), "at", f.Since, f.Until).Limit(rareEntries + 1)
	if err := db.Raw("SELECT count(*) FROM (?) AS bounded", found).Scan(&c.entries).Error; err != nil {
		return translate(fmt.Errorf("count audit entries: %w", err))
	}
	return nil
}

// AuditActions are the kinds of actions that are in the audit log, by name.
func (s *Store) AuditActions(ctx context.Context) ([]string, error) {
	return auditValues(s.read.WithContext(ctx), "action", mostAuditActions)
}

// AuditActors are those who are in the audit log, by name.
func (s *Store) AuditActors(ctx context.Context) ([]Actor, error) {
	var actors []Actor
	// audit_log_by_actor, for the ids and for the last name of each
	err := s.read.WithContext(ctx).Raw(auditFound("actor_id")+`SELECT value AS id,
			(SELECT actor_name FROM audit_log WHERE actor_id = value ORDER BY at DESC, id DESC LIMIT 1) AS name
		FROM found WHERE value <> '' LIMIT ?`, mostActors).Scan(&actors).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read who is in the audit log: %w", err))
	}
	slices.SortFunc(actors, func(a, b Actor) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return actors, nil
}

// auditValues are the values of a column.
func auditValues(db *gorm.DB, column string, most int) ([]string, error) {
	var values []string
	err := db.Raw(auditFound(column)+"SELECT value FROM found WHERE value IS NOT NULL LIMIT ?", most).Scan(&values).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read %s of the audit log: %w", column, err))
	}
	return values, nil
}

// auditFound begins a query over the values of a column, each found by a look into the column's index, however many entries it has.
func auditFound(column string) string {
	return fmt.Sprintf(`WITH RECURSIVE found (value) AS (
			SELECT min(%[1]s) FROM audit_log
			UNION ALL
			SELECT (SELECT min(%[1]s) FROM audit_log WHERE %[1]s > found.value) FROM found WHERE found.value IS NOT NULL
		) `, column)
}
