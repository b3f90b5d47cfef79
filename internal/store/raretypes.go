package store

import (
	"fmt"
	"strings"

	"gorm.io/gorm"

	"busbar"
)

const (
	// rareEvents is how many events of some types are read all, rather than looked for along all that there are.
	rareEvents = 2000
	// mostTypes bounds how many types are looked at for a prefix.
	mostTypes = 500
)

// rareTypes gives the types that a pattern means, when there are so few events of them that a list is made of all of these
// events. Along a list of everything, a page of what is rare is not full before its end.
func rareTypes(db *gorm.DB, env busbar.Environment, pattern string) (types []string, rare bool, err error) {
	prefix, glob := strings.CutSuffix(pattern, "*")
	if prefix == "" || strings.Contains(prefix, "*") {
		return nil, false, nil
	}
	if types = []string{prefix}; glob {
		if types, err = typesWith(db, env, prefix); err != nil {
			return nil, false, err
		}
	}
	var n int
	// Index only: events_by_type.
	err = db.Raw(`SELECT count(*) FROM (SELECT 1 FROM events WHERE environment = ? AND type IN ? LIMIT ?) AS bounded`,
		string(env), types, rareEvents+1).Scan(&n).Error
	if err != nil {
		return nil, false, translate(fmt.Errorf("count events of a type: %w", err))
	}
	return types, n <= rareEvents, nil
}

// typesWith are the types of events that begin so. Each is found by a look into events_by_type, however many events it has.
func typesWith(db *gorm.DB, env busbar.Environment, prefix string) ([]string, error) {
	var all []string
	err := db.Raw(`WITH RECURSIVE names (name) AS (
			SELECT min(type) FROM events WHERE environment = @env
			UNION ALL
			SELECT (SELECT min(type) FROM events WHERE environment = @env AND type > names.name) FROM names WHERE names.name IS NOT NULL
		) SELECT name FROM names WHERE name IS NOT NULL LIMIT @most`, map[string]any{"env": string(env), "most": mostTypes}).Scan(&all).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read event types: %w", err))
	}
	var types []string
	for _, name := range all {
		if strings.HasPrefix(name, prefix) {
			types = append(types, name)
		}
	}
	return types, nil
}

// hidden is a column that the planner must not choose an index by, where that would be worse than what is rare.
func hidden(column string) string { return column + " || ''" }
