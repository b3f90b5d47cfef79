package store

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"busbar"
)

// countJobs adds attempts to the progress of the jobs that had them made.
func countJobs(tx *gorm.DB, all []recorded) error {
	type progress struct{ done, failed int }
	jobs := make(map[busbar.JobID]progress)
	for _, r := range all {
		if r.finished.Job == "" {
			continue
		}
		p := jobs[r.finished.Job]
		if r.finished.ok() {
			p.done++
		} else {
			p.failed++
		}
		jobs[r.finished.Job] = p
	}
	ids := make([]string, 0, len(jobs))
	for id := range jobs {
		ids = append(ids, string(id))
	}
	slices.SortFunc(ids, strings.Compare)
	for _, id := range ids {
		p := jobs[busbar.JobID(id)]
		err := tx.Exec("UPDATE jobs SET done = done + ?, failed = failed + ? WHERE id = ?", p.done, p.failed, id).Error
		if err != nil {
			return fmt.Errorf("count progress of %s: %w", id, err)
		}
	}
	return nil
}
