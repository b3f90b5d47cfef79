package intake

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// automation is what a group knows of rules, and what it has decided about them.
type automation struct {
	// rooms are the sites whose devices were read.
	rooms map[store.SiteRef]*room
	// edges are where rules stand, as read and as changed since; edgesRead are the keys that were read.
	edges     map[store.RuleKeyRef]rules.EdgeState
	edgesRead map[scopeKey]bool
	moved     changed[store.RuleKeyRef]
	// paused are rules that this group has stopped.
	paused map[ruleRef]bool

	runs   []busbar.Run
	packs  []store.RunPack
	ended  []holdEnd
	begun  []store.RuleStart
	firing map[ruleRef]time.Time
}

// room is a site with all its devices, by id.
type room struct {
	site    *busbar.Site
	devices []*busbar.Device
	// open are the open actions, nil when they have to be read again.
	open map[busbar.DeviceID]rules.OpenAction
}

// scopeKey is what edges belong to.
type scopeKey struct {
	environment busbar.Environment
	key         string
}

// ruleRef names a rule.
type ruleRef struct {
	environment busbar.Environment
	id          busbar.RuleID
}

// holdEnd is a hold that has ended, with what its runs become.
type holdEnd struct {
	environment busbar.Environment
	id          string
	decision    rules.Decision
}

// sharedKey is the key of rules whose edge belongs to no device and no site.
const sharedKey = "rule"

// decideRules has the rules that listen to an event decide, in the transaction that gives the event its place.
func (g *group) decideRules(h *happening) error {
	e := &h.event
	book, err := g.book(e.Environment)
	if err != nil || len(book.rules) == 0 {
		return err
	}
	var family busbar.Family
	if d, _, ok := g.device(e.Environment, e.DeviceID); ok {
		family = d.Family
	}
	listening := book.at(occasion{e.Type, family})
	if len(listening) == 0 {
		return nil
	}
	snap := &rules.Snapshot{Environment: e.Environment, Before: h.before, Stopped: book.set.Stopped(e.SiteID), Explain: true}
	site, known := g.home(e)
	if known {
		if err := g.furnish(snap, site, listening); err != nil {
			return err
		}
	}
	if snap.Rules, err = g.standing(book, listening, e); err != nil {
		return err
	}
	runs, err := rules.Decide(snap, e, slices.Contains(e.Flags, busbar.FlagLate))
	if err != nil {
		return err
	}
	idle := make([]store.PackedRun, 0, len(runs))
	for i := range runs {
		run := &runs[i]
		r := book.byID[busbar.RuleID(run.RuleID)]
		if run.Moved() {
			err = g.keepRun(h.unit, r, run, e, site)
		} else {
			idle = append(idle, packed(r, run))
			h.unit.decisions = append(h.unit.decisions, run.Decision)
		}
		if err := errorOf(err, g.strike(h.unit, r, run)); err != nil {
			return err
		}
	}
	if len(idle) > 0 {
		g.packs = append(g.packs, store.RunPack{Event: e, Runs: idle})
	}
	return nil
}

// book are the rules in force of an environment, as this transaction must see them.
func (g *group) book(env busbar.Environment) (*rulebook, error) {
	set, err := g.tx.RuleSet(env)
	if err != nil {
		return nil, err
	}
	return g.in.rulebooks.get(env, set), nil
}

// furnish fills a snapshot with the site and all that is in it.
func (g *group) furnish(snap *rules.Snapshot, site *busbar.Site, listening []*ruleInForce) error {
	r, err := g.room(site)
	if err != nil {
		return err
	}
	snap.Site, snap.Devices = site, r.devices
	if g.in.cfg.Clock != nil {
		snap.Clock = g.in.cfg.Clock(site)
	}
	if slices.ContainsFunc(listening, func(rule *ruleInForce) bool { return rule.Rule.Then[0].Push != nil }) {
		snap.Open, err = g.openAt(r)
	}
	return err
}

// room reads the devices of a site, which is locked.
func (g *group) room(site *busbar.Site) (*room, error) {
	ref := store.SiteRef{Environment: site.Environment, ID: site.ID}
	if r, ok := g.rooms[ref]; ok {
		return r, nil
	}
	devices, err := g.tx.SiteDevices(ref)
	if err != nil {
		return nil, err
	}
	for i, d := range devices {
		ref := store.DeviceRef{Environment: d.Environment, ID: d.ID}
		if known, ok := g.homes.Devices[ref]; ok {
			// What this group has changed of it is not written yet.
			configure(known, d)
			devices[i] = known
		} else {
			g.homes.Devices[ref] = d
		}
	}
	r := &room{site: site, devices: devices}
	if g.rooms == nil {
		g.rooms = make(map[store.SiteRef]*room)
	}
	g.rooms[ref] = r
	return r, nil
}

// configure gives a device of which only what telemetry needs was read the rest of what its owner says.
func configure(d, whole *busbar.Device) {
	said := *d
	*d = *whole
	d.Connection, d.WasConnected, d.ConnectionAt = said.Connection, said.WasConnected, said.ConnectionAt
	d.State, d.Announced, d.ObservedAt, d.StateAt, d.ReportedAt = said.State, said.Announced, said.ObservedAt, said.StateAt, said.ReportedAt
	d.CheckAt, d.KeptAt, d.SyncLost, d.HeldUntil, d.Echo = said.CheckAt, said.KeptAt, said.SyncLost, said.HeldUntil, said.Echo
}

// openAt are the open actions of a site's devices.
func (g *group) openAt(r *room) (map[busbar.DeviceID]rules.OpenAction, error) {
	if r.open != nil {
		return r.open, nil
	}
	ids := make([]busbar.DeviceID, len(r.devices))
	for i, d := range r.devices {
		ids[i] = d.ID
	}
	list, err := g.tx.OpenActionsOf(r.site.Environment, ids)
	if err != nil {
		return nil, err
	}
	r.open = make(map[busbar.DeviceID]rules.OpenAction, len(list))
	for i := range list {
		a := &list[i]
		o := r.open[a.DeviceID]
		if a.Slot == busbar.SlotQueued {
			o.Queued = true
		} else {
			o.ActionID, o.RuleID, o.Priority = a.ID, a.RuleID, a.Priority
		}
		r.open[a.DeviceID] = o
	}
	return r.open, nil
}

// forgetOpen has the open actions of a site read again, because one of them has moved.
func (g *group) forgetOpen(env busbar.Environment, id busbar.SiteID) {
	if r, ok := g.rooms[store.SiteRef{Environment: env, ID: id}]; ok {
		r.open = nil
	}
}

// standing gives the rules that an event concerns with where they stand.
func (g *group) standing(book *rulebook, listening []*ruleInForce, e *busbar.Event) ([]*rules.Standing, error) {
	at := rules.KeysOf(e)
	keys := make([]string, len(listening))
	var wanted []string
	for i, r := range listening {
		key, ok := at.Of(r.Rule)
		if !ok {
			continue
		}
		keys[i] = key
		if !slices.Contains(wanted, key) {
			wanted = append(wanted, key)
		}
	}
	if err := g.readEdges(book, e.Environment, wanted, len(listening)); err != nil {
		return nil, err
	}
	list := make([]*rules.Standing, 0, len(listening))
	// In one piece, because there may be a thousand.
	standings, edges := make([]rules.Standing, len(listening)), make([]rules.EdgeState, len(listening))
	for i, r := range listening {
		if keys[i] == "" {
			continue
		}
		edges[i] = g.edges[r.edgeRef(e.Environment, keys[i])]
		standings[i] = r.standing(&edges[i])
		standings[i].Paused = r.paused || g.paused[ruleRef{e.Environment, r.id}]
		list = append(list, &standings[i])
	}
	return list, nil
}

func (r *ruleInForce) edgeRef(env busbar.Environment, key string) store.RuleKeyRef {
	return store.RuleKeyRef{Environment: env, Key: key, RuleID: r.id, Shadow: r.shadow}
}

// readEdges reads where rules stand with keys that were not read yet; there may be about so many.
func (g *group) readEdges(book *rulebook, env busbar.Environment, keys []string, about int) error {
	var unread []string
	for _, key := range keys {
		if !g.edgesRead[scopeKey{env, key}] {
			unread = append(unread, key)
		}
	}
	if len(unread) == 0 {
		return nil
	}
	if slices.Contains(unread, sharedKey) {
		if err := g.tx.LockRules(env, book.shared); err != nil {
			return err
		}
	}
	if g.edges == nil {
		g.edges, g.edgesRead = make(map[store.RuleKeyRef]rules.EdgeState, about), make(map[scopeKey]bool)
	}
	if err := g.tx.RuleKeys(env, unread, g.edges); err != nil {
		return err
	}
	for _, key := range unread {
		g.edgesRead[scopeKey{env, key}] = true
	}
	return nil
}

// packed is a run that moved nothing, as it stands among those of its event.
func packed(r *ruleInForce, run *rules.Run) store.PackedRun {
	return store.PackedRun{
		RuleID: r.id, Version: r.version, Shadow: r.shadow, Key: run.Key, Is: run.Decision, HoldID: run.HoldID, Detail: run.Detail(),
	}
}

// keepRun keeps a run that moved something: the edge, the hold, the firing. The event is nil for the opening of a window, the
// site for what belongs to none.
func (g *group) keepRun(u *unit, r *ruleInForce, run *rules.Run, e *busbar.Event, site *busbar.Site) error {
	u.decisions = append(u.decisions, run.Decision)
	ref := r.edgeRef(u.env, run.Key)
	g.edges[ref] = run.After
	g.moved.add(ref)
	g.endHold(u.env, run)
	record := busbar.Run{
		ID: busbar.RunID(run.ID), Environment: u.env, RuleID: r.id, RuleVersion: r.version, Shadow: r.shadow, Key: run.Key,
		Trigger: string(run.Trigger), EventID: run.EventID, Decision: string(run.Decision), DecidedAt: run.DecidedAt,
		Lateness: run.Lateness, HoldID: run.HoldID,
	}
	if e != nil {
		record.RootID = e.Causation.RootEventID
	}
	if site != nil {
		record.SiteID = site.ID
	}
	if h := run.After.Hold; h != nil && (run.Before.Hold == nil || run.Before.Hold.ID != h.ID) {
		g.begin(u, store.RuleStart{Environment: u.env, Kind: store.StartHold, ID: h.ID, RuleID: r.id, Key: run.Key, Shadow: r.shadow, Due: h.Due})
	}
	if run.Concludes() {
		record.Trigger, record.EndedAt = string(rules.TriggerEvent), g.now
	}
	if run.Firing != nil {
		if err := g.fire(u, r, run, &record, e, site); err != nil {
			return err
		}
	}
	detail, err := json.Marshal(run.Detail())
	if err != nil {
		return fmt.Errorf("write run of rule %s: %w", run.RuleID, err)
	}
	record.Detail = detail
	g.runs = append(g.runs, record)
	return nil
}

// endHold notes what became of the runs that held.
func (g *group) endHold(env busbar.Environment, run *rules.Run) {
	switch {
	case run.Ended != nil:
		g.ended = append(g.ended, holdEnd{env, run.Ended.ID, run.Ended.Decision})
	case run.HoldID != "" && run.After.Hold == nil:
		became := run.Decision
		if became == rules.DecisionError {
			became = rules.DecisionHoldBroken
		}
		g.ended = append(g.ended, holdEnd{env, run.HoldID, became})
	}
}

// begin has the workflow of a run or a hold started.
func (g *group) begin(u *unit, s store.RuleStart) {
	s.Noted = g.now
	g.begun = append(g.begun, s)
	u.begun = append(u.begun, RuleLaunch{RuleStart: s, Fresh: true})
}

// writeRules writes what was decided about rules. Runs come before the ends of their holds: a hold may begin and end here.
func (g *group) writeRules() error {
	keys := make([]store.RuleKey, len(g.moved.list))
	for i, ref := range g.moved.list {
		keys[i] = store.RuleKey{RuleKeyRef: ref, Edge: g.edges[ref]}
	}
	if err := errorOf(g.tx.SaveRuleKeys(keys), g.tx.InsertRuns(g.runs), g.tx.InsertRunPacks(g.packs), g.tx.InsertRuleStarts(g.begun)); err != nil {
		return err
	}
	for _, end := range g.ended {
		if err := g.tx.EndHoldRuns(end.environment, end.id, end.decision, g.now); err != nil {
			return err
		}
	}
	return g.noteFirings()
}
