package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// jobRow is a row of jobs.
type jobRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	Environment string `gorm:"column:environment"`
	EndpointID  string `gorm:"column:endpoint_id"`
	Kind        string `gorm:"column:kind"`
	Status      string `gorm:"column:status"`
	Since       int64  `gorm:"column:since"`
	Until       int64  `gorm:"column:until"`
	Statuses    string `gorm:"column:statuses"`
	Counted     bool   `gorm:"column:counted"`
	Total       int    `gorm:"column:total"`
	Done        int    `gorm:"column:done"`
	Failed      int    `gorm:"column:failed"`
	CursorAt    int64  `gorm:"column:cursor_at"`
	CursorID    string `gorm:"column:cursor_id"`
	Reason      string `gorm:"column:reason"`
	CreatedAt   int64  `gorm:"column:created_at"`
	CompletedAt int64  `gorm:"column:completed_at"`
}

// TableName names the table for gorm.
func (jobRow) TableName() string { return "jobs" }

func (r *jobRow) position() position { return position{r.CreatedAt, r.ID} }

func (r *jobRow) job() (busbar.Job, error) {
	status, err := busbar.ParseJobStatus(r.Status)
	if err != nil {
		return busbar.Job{}, fmt.Errorf("read job %s: %w", r.ID, err)
	}
	j := busbar.Job{
		ID: busbar.JobID(r.ID), Environment: busbar.Environment(r.Environment), EndpointID: busbar.EndpointID(r.EndpointID),
		Kind: busbar.JobKind(r.Kind), Status: status, Since: fromMicros(r.Since), Until: fromMicros(r.Until),
		Counted: r.Counted, Total: r.Total, Done: r.Done, Failed: r.Failed, Reason: r.Reason,
		CreatedAt: fromMicros(r.CreatedAt), CompletedAt: fromMicros(r.CompletedAt),
	}
	for name := range strings.SplitSeq(r.Statuses, ",") {
		if name != "" {
			j.Statuses = append(j.Statuses, busbar.DeliveryStatus(name))
		}
	}
	return j, nil
}

// CreateJob adds a job. What it sends is looked up as it goes.
func (tx *Tx) CreateJob(j *busbar.Job) error {
	statuses := make([]string, len(j.Statuses))
	for i, s := range j.Statuses {
		statuses[i] = string(s)
	}
	row := jobRow{
		ID: string(j.ID), Environment: string(j.Environment), EndpointID: string(j.EndpointID), Kind: string(j.Kind),
		Status: string(j.Status), Since: micros(j.Since), Until: micros(j.Until), Statuses: strings.Join(statuses, ","),
		CreatedAt: micros(j.CreatedAt),
	}
	if err := tx.db.Create(&row).Error; err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	return nil
}

// Job gives one job, or NOT_FOUND.
func (s *Store) Job(ctx context.Context, env busbar.Environment, id busbar.JobID) (busbar.Job, error) {
	var row jobRow
	err := s.read.WithContext(ctx).Where("id = ? AND environment = ?", string(id), string(env)).Take(&row).Error
	if err != nil {
		return busbar.Job{}, notFound(err, "job", string(id))
	}
	return row.job()
}

// Jobs gives jobs, newest first; of one endpoint only when it is named.
func (s *Store) Jobs(ctx context.Context, env busbar.Environment, of busbar.EndpointID, req busbar.PageRequest) (busbar.Page[busbar.Job], error) {
	// jobs_list
	q := equal(s.read.WithContext(ctx).Where("environment = ?", string(env)), "endpoint_id", string(of))
	return page(q, req, "created_at", (*jobRow).position, (*jobRow).job)
}

// RunningJobs gives all jobs that run.
func (s *Store) RunningJobs(ctx context.Context) ([]busbar.Job, error) {
	var rows []jobRow
	// jobs_open
	err := s.read.WithContext(ctx).Where("status IN ('running', 'paused') AND status = 'running'").Order("id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read running jobs: %w", translate(err))
	}
	jobs := make([]busbar.Job, len(rows))
	for i := range rows {
		if jobs[i], err = rows[i].job(); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// Recovering reports whether a job is sending what an endpoint missed, a delivery of this age among it. What is parked for
// the endpoint waits for it, so that the oldest goes out first; what came after the job's window does not.
func (s *Store) Recovering(ctx context.Context, id busbar.EndpointID, made time.Time) (bool, error) {
	var running bool
	// jobs_open
	err := s.read.WithContext(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM jobs WHERE endpoint_id = ?
			AND status IN ('running', 'paused') AND status = 'running' AND kind = 'recover' AND until > ?)`,
		string(id), micros(made)).Scan(&running).Error
	if err != nil {
		return false, fmt.Errorf("look for jobs of %s: %w", id, translate(err))
	}
	return running, nil
}

// MoveJob brings a job to another state. One that is in none of those from which it can get there is a CONFLICT; one that
// is there already stays. Of a job that ends, what it has not sent is removed if it exists for the job alone.
func (s *Store) MoveJob(ctx context.Context, env busbar.Environment, id busbar.JobID, to busbar.JobStatus, reason string) (busbar.Job, error) {
	var j busbar.Job
	err := s.write(ctx, s.durable, func(tx *gorm.DB) error {
		var row jobRow
		err := s.forUpdate(tx).Where("id = ? AND environment = ?", string(id), string(env)).Take(&row).Error
		if err != nil {
			return notFound(err, "job", string(id))
		}
		if j, err = row.job(); err != nil || j.Status == to {
			return err
		}
		if !j.Status.Open() {
			return busbar.Errorf(busbar.CodeConflict, "the job is %s already", j.Status)
		}
		row.Status, row.Reason = string(to), reason
		if !to.Open() {
			row.CompletedAt = micros(s.now())
			if to == busbar.JobCompleted {
				if err := s.settleProgress(tx, &row); err != nil {
					return err
				}
			}
			if err := s.removeKept(tx, &row); err != nil {
				return err
			}
		}
		if err := tx.Save(&row).Error; err != nil {
			return fmt.Errorf("save job: %w", err)
		}
		j, err = row.job()
		return err
	})
	return j, err
}

// settleProgress counts as done what others have delivered meanwhile, and as failed what a younger job has tried in vain.
func (s *Store) settleProgress(tx *gorm.DB, row *jobRow) error {
	var failed int64
	// deliveries_failed
	err := tx.Model(&deliveryRow{}).Where("endpoint_id = ? AND status = 'failed'", row.EndpointID).
		Where("created_at >= ? AND created_at < ? AND resent_by >= ?", row.Since, row.Until, row.ID).Count(&failed).Error
	if err != nil {
		return fmt.Errorf("count what %s could not send: %w", row.ID, err)
	}
	row.Total = max(row.Total, row.Done+row.Failed)
	row.Failed = min(max(row.Failed, int(failed)), row.Total)
	row.Done = row.Total - row.Failed
	return nil
}

// removeKept removes what exists for a job alone and was never tried, so that another replay makes it anew. Of the rest, whose
// attempts are under way or were cut, it is cancelled.
func (s *Store) removeKept(tx *gorm.DB, row *jobRow) error {
	// deliveries_parked
	const kept = " WHERE endpoint_id = ? AND status = 'parked' AND kept_for = ?"
	err := tx.Exec("DELETE FROM deliveries"+kept+" AND attempts = 0 AND claim_owner = ''", row.EndpointID, row.ID).Error
	if err != nil {
		return fmt.Errorf("remove what job %s has not sent: %w", row.ID, err)
	}
	err = tx.Exec("UPDATE deliveries SET status = 'cancelled', completed_at = ?, last_error = ?, kept_for = ''"+kept,
		micros(s.now()), "its job ended before it was sent", row.EndpointID, row.ID).Error
	if err != nil {
		return fmt.Errorf("cancel what job %s has not sent: %w", row.ID, err)
	}
	return nil
}

// failJobs ends the jobs of an endpoint that is gone, those that are paused too: nobody would resume them.
func (s *Store) failJobs(tx *gorm.DB, id busbar.EndpointID) error {
	// jobs_open
	err := tx.Exec(`UPDATE jobs SET status = 'failed', reason = ?, completed_at = ?
		WHERE endpoint_id = ? AND status IN ('running', 'paused')`, endpointGone, micros(s.now()), string(id)).Error
	if err != nil {
		return fmt.Errorf("end jobs of %s: %w", id, err)
	}
	return nil
}

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
	// One order for all, so that two transactions never wait for each other.
	slices.Sort(ids)
	for _, id := range ids {
		p := jobs[busbar.JobID(id)]
		err := tx.Exec("UPDATE jobs SET done = done + ?, failed = failed + ? WHERE id = ?", p.done, p.failed, id).Error
		if err != nil {
			return fmt.Errorf("count progress of %s: %w", id, err)
		}
	}
	return nil
}
