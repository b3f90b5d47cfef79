//go:build !lean

package embedded

import (
	"fmt"
	"strings"

	busbartemporal "busbar/internal/temporal"
)

// Each workflow writes its visibility row twice, and the server's schema keeps 58 indexes and two full-text tables up to
// date with it, most of them for attributes that are never set. What follows keeps those that Busbar's attributes and
// the lists of the web UI use; every other filter still works, by reading the rows in list order. The triggers index
// only rows that have something to find. Together that took the CPU time of a whole workflow from 7.3 to 4.9 ms, 0.6 of it
// from the triggers (BenchmarkWorkflow, two cores).

// keptIndexes are the indexes of the server's schema that stay.
var keptIndexes = map[string]bool{
	"default_idx":      true, // every list, newest first
	"by_workflow_id":   true,
	"by_workflow_type": true,
	"by_status":        true, // "running", "failed"
	"by_keyword_02":    true, // EventType
}

// addedIndexes hold only rows that have the value: an equality filter implies that, so SQLite uses them.
var addedIndexes = []string{
	partialIndex("by_device_id", "Keyword03"),
	partialIndex("by_rule_id", "Keyword04"),
	partialIndex("by_parent", "parent_workflow_id"),
}

func partialIndex(name, column string) string {
	return fmt.Sprintf("CREATE INDEX %s ON executions_visibility (namespace_id, %[2]s, "+
		"(COALESCE(close_time, '9999-12-31 23:59:59+00:00')) DESC, start_time DESC, run_id) WHERE %[2]s IS NOT NULL",
		name, column)
}

// attributeFields says which preallocated column holds which of our search attributes, for the indexes above. It is
// written into the namespace when the namespace is created.
func attributeFields() map[string]string {
	return map[string]string{
		"Keyword01":     busbartemporal.AttributeEnvironment,
		"Keyword02":     busbartemporal.AttributeEventType,
		"Keyword03":     busbartemporal.AttributeDeviceID,
		"Keyword04":     busbartemporal.AttributeRuleID,
		"KeywordList01": busbartemporal.AttributeFailingEndpoints,
	}
}

const (
	textTable = "executions_visibility_fts_text"
	listTable = "executions_visibility_fts_keyword_list"
)

var textColumns = []string{"Text01", "Text02", "Text03"}

// listColumns leave out the build ids, which the server sets on every workflow: the embedded server can't filter by them.
var listColumns = []string{
	"TemporalChangeVersion", "TemporalPauseInfo", "TemporalReportedProblems", "TemporalUsedWorkerDeploymentVersions",
	"KeywordList01", "KeywordList02", "KeywordList03", "TemporalKeywordList01", "TemporalKeywordList02",
}

// visibilityStatements is the server's visibility schema, made smaller as told above.
func visibilityStatements() ([]string, error) {
	all, err := statements(sqliteVisibility)
	if err != nil {
		return nil, err
	}
	var kept []string
	indexes := 0
	for _, statement := range all {
		words := strings.Fields(statement)
		switch {
		case len(words) > 2 && words[0] == "CREATE" && words[1] == "INDEX":
			if !keptIndexes[words[2]] {
				continue
			}
			indexes++
		case len(words) > 2 && words[0] == "CREATE" && words[1] == "TRIGGER":
			continue
		}
		kept = append(kept, statement)
	}
	if indexes != len(keptIndexes) {
		return nil, fmt.Errorf("reduce visibility schema: %d of %d indexes found", indexes, len(keptIndexes))
	}
	kept = append(kept, addedIndexes...)
	return append(kept, triggers()...), nil
}

func triggers() []string {
	return []string{
		trigger("ai", "INSERT", present("NEW"), add(textTable, textColumns), add(listTable, listColumns)),
		trigger("ad", "DELETE", present("OLD"), remove(textTable, textColumns), remove(listTable, listColumns)),
		trigger("au", "UPDATE", present("OLD")+" OR "+present("NEW"),
			remove(textTable, textColumns), add(textTable, textColumns),
			remove(listTable, listColumns), add(listTable, listColumns)),
	}
}

func trigger(suffix, event, when string, body ...string) string {
	return fmt.Sprintf("CREATE TRIGGER executions_visibility_%s AFTER %s ON executions_visibility WHEN %s BEGIN %s END",
		suffix, event, when, strings.Join(body, " "))
}

func present(row string) string {
	return anySet(row, textColumns) + " OR " + anySet(row, listColumns)
}

// anySet is true when one of the columns of row has a value.
func anySet(row string, columns []string) string {
	return "COALESCE(" + qualified(row, columns) + ") IS NOT NULL"
}

func qualified(row string, columns []string) string {
	return row + "." + strings.Join(columns, ", "+row+".")
}

func add(table string, columns []string) string {
	return fmt.Sprintf("INSERT INTO %s (rowid, %s) SELECT NEW.rowid, %s WHERE %s;",
		table, strings.Join(columns, ", "), qualified("NEW", columns), anySet("NEW", columns))
}

// remove follows the form that FTS5 wants for tables whose content is elsewhere: the old values, with the word delete.
func remove(table string, columns []string) string {
	return fmt.Sprintf("INSERT INTO %[1]s (%[1]s, rowid, %s) SELECT 'delete', OLD.rowid, %s WHERE %s;",
		table, strings.Join(columns, ", "), qualified("OLD", columns), anySet("OLD", columns))
}
