package intake

import (
	"slices"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// unit is what one request offers; it is committed as a whole.
type unit struct {
	env busbar.Environment
	key *Idempotency
	// candidates are the events that a request offers.
	candidates []Candidate
	// only, if set, is the one endpoint that gets the event, in one attempt without a schedule.
	only busbar.EndpointID
	// about, if set, is the endpoint that its events are about, which does not get them.
	about busbar.EndpointID
	// task is what is decided instead of offered events; nil when there is none.
	task task

	hashes   []store.ContentHash
	outcomes []Outcome
	started  []store.Accepted
	// emitted are the events that follow from the task.
	emitted []busbar.Event
	// launches are the actions whose workflow is to start, or has to look at them again.
	launches []Launch
	// begun are the runs and holds whose workflow is to start, or has to look at them again.
	begun []RuleLaunch
	// decisions are those about rules, endings the ends of actions.
	decisions []rules.Decision
	endings   []busbar.ActionState
	subs      *store.Subscribers
	// refused is the error of the unit as a whole.
	refused *busbar.Error
}

// task is a decision about devices. It may be asked more than once before one of its answers is committed, so it
// keeps nothing but what the next time overwrites.
type task interface {
	// concerns names the devices that it reads or changes; whole, when their commands and settings are needed, too. A *busbar.Error
	// refuses the task.
	concerns(tx *store.DecisionTx) (devices []busbar.DeviceID, whole bool, err error)
	// decide says what follows, and has the group write it. A *busbar.Error refuses the task, and must come before
	// anything was changed.
	decide(g *group, u *unit) error
	// size is how much it writes, in events and readings.
	size() int
}

// sited is a task about a site as a whole, or about none.
type sited interface {
	task
	// site is known once concerns was asked.
	site() busbar.SiteID
}

// keyed is a task of a request that may carry an Idempotency-Key.
type keyed interface {
	task
	answer() (store.Answer, error)
	restore(a store.Answer) error
}

func (u *unit) size() int {
	if u.task != nil {
		return u.task.size()
	}
	return len(u.candidates)
}

func (u *unit) answer() (store.Answer, error) {
	if t, ok := u.task.(keyed); ok {
		return t.answer()
	}
	return marshalAnswer(u.outcomes)
}

func (u *unit) restore(a store.Answer) error {
	if t, ok := u.task.(keyed); ok {
		return t.restore(a)
	}
	var err error
	u.outcomes, err = unmarshalAnswer(a)
	return err
}

// apart keeps requests with the same Idempotency-Key out of one transaction, and transactions small.
func apart(gathered []*unit, next *unit) bool {
	size := next.size()
	for _, u := range gathered {
		if u.key != nil && next.key != nil && *u.key == *next.key {
			return true
		}
		size += u.size()
	}
	return size > maxGroup
}

func environments(units []*unit) []busbar.Environment {
	var envs []busbar.Environment
	for _, u := range units {
		if !slices.Contains(envs, u.env) {
			envs = append(envs, u.env)
		}
	}
	return envs
}
