package view

import (
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// JobFormPage starts a job for an endpoint.
type JobFormPage struct {
	Kind     busbar.JobKind
	Endpoint api.Endpoint
	Form     Form
}

// JobsPage is a list of jobs.
type JobsPage struct {
	Now       time.Time
	Jobs      []api.Job
	Endpoints []api.Endpoint
	Filters   Form
	Pages     Pages
}

// JobPage is one job and how far it is.
type JobPage struct {
	Now time.Time
	Job api.Job
	// Endpoint is nil when it was deleted.
	Endpoint *api.Endpoint
}

func jobTone(s busbar.JobStatus) (tone, icon string) {
	switch s {
	case busbar.JobRunning:
		return "info", "clock"
	case busbar.JobPaused:
		return "warn", "pause"
	case busbar.JobCompleted:
		return "good", "check"
	case busbar.JobFailed:
		return "bad", "cross"
	case busbar.JobCancelled:
	}
	return "mute", "minus"
}

func jobTitle(k busbar.JobKind) string {
	if k == busbar.JobReplay {
		return "Replay"
	}
	return "Recover"
}

func jobSentence(k busbar.JobKind) string {
	if k == busbar.JobReplay {
		return "Sends events that were never to go here, because the endpoint is newer than they are. Those that it does not want are left out."
	}
	return "Sends again what did not arrive, oldest first and at the endpoint's own rate. What was delivered meanwhile is not sent again."
}

// progress says how far a job is.
func progress(j *api.Job) string {
	switch {
	case j.Total > 0:
		text := Count(j.Done) + " of " + Count(j.Total)
		if j.Failed > 0 {
			text += ", " + Count(j.Failed) + " failed"
		}
		return text
	case j.Status.Open():
		return "counting"
	default:
		return "nothing to send"
	}
}

// settled is how much of a job is over, well or not.
func settled(j *api.Job) string { return strconv.Itoa(min(j.Done+j.Failed, j.Total)) }

func statusesText(list []busbar.DeliveryStatus) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func jobPath(f Frame, id busbar.JobID, more string) string { return f.At("/jobs/" + string(id) + more) }

// recoverable are the statuses that a job can send again.
func recoverable() []statusHint {
	return []statusHint{
		{busbar.DeliveryFailed, "The retry schedule was used up."},
		{busbar.DeliveryParked, "The endpoint was disabled, or its circuit open."},
		{busbar.DeliveryCancelled, "Somebody cancelled them."},
		{busbar.DeliveryDelivered, "They arrived, and are to arrive once more."},
	}
}

// statusHint says how deliveries come to have a status.
type statusHint struct {
	status busbar.DeliveryStatus
	hint   string
}
