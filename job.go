package busbar

import (
	"fmt"
	"time"
)

// JobID names a job, `job_…`.
type JobID string

// NewJobID makes a fresh job id.
func NewJobID() JobID { return JobID(newID("job_")) }

// Job sends the deliveries of a window to an endpoint again.
type Job struct {
	ID          JobID
	Environment Environment
	EndpointID  EndpointID
	Kind        JobKind
	Status      JobStatus
	// Since (inclusive) and Until (exclusive) compare with the time an event was received.
	Since, Until time.Time
	// Statuses are those of the deliveries that are sent again; a replay has none.
	Statuses []DeliveryStatus
	// Counted: Total is known.
	Counted bool
	Total   int
	// Done counts what was delivered, Failed what was tried and was not.
	Done, Failed int
	// Reason says why it ended early or waits.
	Reason      string
	CreatedAt   time.Time
	CompletedAt time.Time
}

// JobKind is what a job sends.
type JobKind string

// The kinds of jobs.
const (
	// JobRecover sends deliveries again that failed or are parked.
	JobRecover JobKind = "recover"
	// JobReplay sends events that the endpoint was never to get, because it is newer.
	JobReplay JobKind = "replay"
)

// JobStatus is where a job stands.
type JobStatus string

// The states of a job.
const (
	JobRunning   JobStatus = "running"
	JobPaused    JobStatus = "paused"
	JobCompleted JobStatus = "completed"
	JobCancelled JobStatus = "cancelled"
	// JobFailed: its endpoint was deleted.
	JobFailed JobStatus = "failed"
)

// ParseJobStatus rejects what is not a state.
func ParseJobStatus(s string) (JobStatus, error) {
	switch j := JobStatus(s); j {
	case JobRunning, JobPaused, JobCompleted, JobCancelled, JobFailed:
		return j, nil
	default:
		return "", fmt.Errorf("%q is none of running, paused, completed, cancelled, failed", s)
	}
}

// WorkflowID names the workflow that carries the job out.
func (j *Job) WorkflowID() string { return JobWorkflowID(j.Environment, j.ID) }

// JobWorkflowID names the workflow that carries out a job.
func JobWorkflowID(env Environment, id JobID) string {
	return "resend-" + string(env) + "-" + string(id)
}

// Open reports whether the job has not ended.
func (s JobStatus) Open() bool { return s == JobRunning || s == JobPaused }
