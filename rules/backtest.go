package rules

import (
	"container/heap"
	"maps"
	"slices"
	"strings"
	"time"

	"busbar"
)

// Bounds of a back-test. What goes over one ends it there.
const (
	MaxBacktestEvents = 50_000
	// MaxBacktestRuns is how many runs are kept, MaxBacktestCommands how many commands and emitted events.
	MaxBacktestRuns     = 1_000
	MaxBacktestCommands = 1_000
	// maxBacktestDecisions is how often a rule is asked: at events, ends of holds and openings of windows.
	maxBacktestDecisions = 2 * MaxBacktestEvents
)

// Backtested is what a version of a rule would have done.
type Backtested struct {
	// Runs are those that a list of runs tells something with: all but where the condition was false, or true already.
	Runs []Run
	// Decisions count all of them.
	Decisions map[Decision]int
	Commands  []PlayedCommand
	Emissions []PlayedEmission
	// Until is how far it got. Truncated: a bound ended it there.
	Until     time.Time
	Truncated bool
}

// Backtest has versions of rules decide at recorded events, with the code that decides live: each as if it were active, from the edges
// that it has. Holds end by the time at which events were received, cooldowns and windows go by the events' own. Commands
// succeed at once and change nothing; nothing else holds a device; emitted events are told, and do not happen. When a bound
// ends one of them, it ends all at the same event, so that they can be compared. Observe, when it is not nil, is given every run.
func Backtest(rec *Recording, versions []*Standing, observe func(*Run)) ([]Backtested, error) {
	p := &replay{rec: rec, sites: make(map[busbar.SiteID]*recordedSite), observe: observe}
	for _, v := range versions {
		p.rules = append(p.rules, newReplayed(v))
	}
	events := rec.ordered()
	if err := p.begin(events); err != nil {
		return nil, err
	}
	for i, e := range events {
		if p.truncated = p.truncated || i == MaxBacktestEvents; p.truncated {
			break
		}
		if err := p.happen(e); err != nil {
			return nil, err
		}
	}
	if err := p.advance(rec.Until); err != nil {
		return nil, err
	}
	results := make([]Backtested, len(p.rules))
	for i, r := range p.rules {
		r.Until, r.Truncated = p.now, p.truncated
		results[i] = r.Backtested
	}
	return results, nil
}

// replay is the history while it is played.
type replay struct {
	rec       *Recording
	sites     map[busbar.SiteID]*recordedSite
	rules     []*replayed
	queue     dueQueue
	now       time.Time
	truncated bool
	observe   func(*Run)
}

// replayed is a version of a rule with what came of it.
type replayed struct {
	Backtested
	standing *Standing
	// began are the events that running holds began with, by the keys.
	began map[string]*busbar.Event
	asked int
}

func newReplayed(v *Standing) *replayed {
	compiled, rule := *v.Compiled, *v.Rule
	rule.Mode = ModeActive
	compiled.Rule = &rule
	standing := &Standing{Compiled: &compiled, ID: v.ID, Version: v.Version, Keys: make(map[string]EdgeState)}
	maps.Copy(standing.Keys, v.Keys)
	return &replayed{standing: standing, began: make(map[string]*busbar.Event), Backtested: Backtested{Decisions: make(map[Decision]int)}}
}

// begin puts the devices into the states that they had before the first event.
func (p *replay) begin(events []*busbar.Event) error {
	p.sites[""] = &recordedSite{env: p.rec.Environment, loc: time.UTC}
	for _, s := range p.rec.Sites {
		p.sites[s.ID] = &recordedSite{env: p.rec.Environment, site: s, loc: s.Location()}
	}
	for _, d := range p.rec.Devices {
		site, ok := p.sites[d.SiteID]
		if !ok {
			continue
		}
		device := *d
		device.HeldUntil = time.Time{}
		recorded := &recordedDevice{Device: &device}
		if d.SyncLost {
			recorded.lostAt = d.ReportedAt.Add(d.StaleAfter)
		}
		site.devices = append(site.devices, recorded)
	}
	for _, s := range p.sites {
		slices.SortFunc(s.devices, func(a, b *recordedDevice) int { return compareIDs(a.ID, b.ID) })
	}
	if len(events) == 0 {
		p.now = p.rec.Until
		return nil
	}
	p.now = events[0].ReceivedAt
	for _, e := range events {
		if err := p.site(e.SiteID).begin(e, p.now); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.sites)) {
		for _, r := range p.rules {
			p.open(r, id)
		}
	}
	return nil
}

func (p *replay) site(id busbar.SiteID) *recordedSite {
	if s, ok := p.sites[id]; ok {
		return s
	}
	return p.sites[""]
}

// happen plays one event.
func (p *replay) happen(e *busbar.Event) error {
	if err := p.advance(e.ReceivedAt); err != nil || p.truncated {
		return err
	}
	site := p.site(e.SiteID)
	data, err := decode(e)
	if err != nil {
		return err
	}
	before := site.apply(e, data)
	if !slices.ContainsFunc(p.rules, func(r *replayed) bool { return r.standing.Rule.Listens(e.Type, site.family(e.DeviceID)) }) {
		return nil
	}
	s := site.snapshot(before, e.ReceivedAt)
	o := s.occasion(e)
	var after, prior *Input
	for _, r := range p.rules {
		if !o.concerns(r.standing) {
			continue
		}
		if after == nil {
			after = s.seen(e, data)
			prior = s.before(after)
		}
		run := s.decide(r.standing, &o, after, prior, MaxSteps, slices.Contains(e.Flags, busbar.FlagLate))
		if err := p.keep(r, s, &run, e); err != nil {
			return err
		}
	}
	return nil
}

// advance lets time pass, with the holds that are due and the windows that open on the way.
func (p *replay) advance(until time.Time) error {
	for len(p.queue) > 0 && !p.queue[0].at.After(until) && !p.truncated {
		next, _ := heap.Pop(&p.queue).(due)
		if next.at.After(p.now) {
			p.now = next.at
		}
		var err error
		if next.hold == "" {
			err = p.opened(&next)
		} else {
			err = p.ended(&next)
		}
		if err != nil {
			return err
		}
	}
	if until.After(p.now) && !p.truncated {
		p.now = until
	}
	return nil
}

func (p *replay) ended(d *due) error {
	hold := d.rule.standing.Keys[d.key].Hold
	if hold == nil || hold.ID != d.hold || !hold.Due.Equal(d.at) {
		return nil
	}
	e := d.rule.began[d.key]
	s := p.site(e.SiteID).snapshot(nil, d.at)
	run, err := EndHold(s, d.rule.standing, d.key, d.hold, e, d.at)
	if err != nil {
		return err
	}
	return p.keep(d.rule, s, &run, e)
}

// opened opens a rule's window at a site, for the keys that are of the site.
func (p *replay) opened(d *due) error {
	s := p.site(d.site).snapshot(nil, d.at)
	for _, key := range slices.Sorted(maps.Keys(d.rule.standing.Keys)) {
		var device *busbar.Device
		id, ofDevice := KeyDevice(key)
		if ofDevice {
			if device = s.device(id); device == nil {
				continue
			}
		} else if site, _ := strings.CutPrefix(key, "site:"); busbar.SiteID(site) != d.site && (key != "rule" || d.site != "") {
			continue
		}
		run := OpenWindow(s, d.rule.standing, key, device, d.at)
		if err := p.keep(d.rule, s, &run, nil); err != nil {
			return err
		}
	}
	p.open(d.rule, d.site)
	return nil
}

// open has a rule's window open at a site when it is time again.
func (p *replay) open(r *replayed, site busbar.SiteID) {
	if at := r.standing.NextOpening(p.now, p.site(site).loc); !at.IsZero() {
		heap.Push(&p.queue, due{at: at, rule: r, site: site})
	}
}

// keep notes a run with what moved, and goes through the steps of a firing.
func (p *replay) keep(r *replayed, s *Snapshot, run *Run, e *busbar.Event) error {
	if p.observe != nil {
		p.observe(run)
	}
	r.standing.Keys[run.Key] = run.After
	switch h := run.After.Hold; {
	case h == nil:
		delete(r.began, run.Key)
	case run.Before.Hold == nil || run.Before.Hold.ID != h.ID:
		r.began[run.Key] = e
		heap.Push(&p.queue, due{at: h.Due, rule: r, key: run.Key, hold: h.ID})
	case !h.Due.Equal(run.Before.Hold.Due):
		heap.Push(&p.queue, due{at: h.Due, rule: r, key: run.Key, hold: h.ID})
	}
	r.Decisions[run.Decision]++
	if run.Decision != DecisionFalse && run.Decision != DecisionAlreadyTrue {
		r.Runs = append(r.Runs, *run)
	}
	r.asked++
	var err error
	if run.Firing != nil {
		err = r.standing.each(s, run, e, run.DecidedAt, func(_ int, plan *StepPlan) bool { return r.carry(plan, run) })
	}
	p.truncated = p.truncated || r.asked >= maxBacktestDecisions || len(r.Runs) >= MaxBacktestRuns || len(r.Commands)+len(r.Emissions) >= MaxBacktestCommands
	return err
}

// carry notes what a step would have done; it reports whether the next one follows.
func (r *replayed) carry(plan *StepPlan, run *Run) bool {
	for _, c := range plan.Commands {
		r.Commands = append(r.Commands, PlayedCommand{run.DecidedAt, r.standing.ID, c})
	}
	if plan.Emission != nil {
		r.Emissions = append(r.Emissions, PlayedEmission{run.DecidedAt, r.standing.ID, *plan.Emission, run.Firing.Causation})
	}
	return plan.Status == StepReady || plan.Status == StepNoLongerWanted
}

// due is the end of a hold, or the opening of a window when there is no hold.
type due struct {
	at   time.Time
	rule *replayed
	key  string
	hold string
	site busbar.SiteID
}

// dueQueue is a heap with what is due first on top. What is due at the same time is in the order of keys, for it to be the same
// each time.
type dueQueue []due

// Len is for package heap.
func (q *dueQueue) Len() int { return len(*q) }

// Swap is for package heap.
func (q *dueQueue) Swap(i, j int) { (*q)[i], (*q)[j] = (*q)[j], (*q)[i] }

// Less is for package heap.
func (q *dueQueue) Less(i, j int) bool {
	a, b := &(*q)[i], &(*q)[j]
	switch {
	case !a.at.Equal(b.at):
		return a.at.Before(b.at)
	case a.key != b.key:
		return a.key < b.key
	default:
		return a.site < b.site
	}
}

// Push is for package heap.
func (q *dueQueue) Push(x any) {
	d, _ := x.(due)
	*q = append(*q, d)
}

// Pop is for package heap.
func (q *dueQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
