package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// NextOpening says when a rule's window opens next after an opening, at any of the sites that it is about. What has been open
// for longer than the rule may act late, or since before the rule was saved, is passed over.
func (in *Intake) NextOpening(ctx context.Context, env busbar.Environment, id busbar.RuleID, after time.Time) (WindowNext, error) {
	set, err := in.cfg.Store.RuleSet(ctx, env)
	if err != nil {
		return WindowNext{}, err
	}
	r := in.rulebooks.get(env, set).byID[id]
	if r == nil || r.Rule.Window == nil {
		return WindowNext{Over: true}, nil
	}
	now := in.cfg.Now()
	for _, t := range []time.Time{now.Add(-r.Rule.ActWithin), set.Saved(id)} {
		if t.After(after) {
			after = t
		}
	}
	zones, err := in.zones(ctx, env, r)
	if err != nil {
		return WindowNext{}, err
	}
	var next WindowNext
	for _, zone := range zones {
		if at := r.NextOpening(after, zone); next.At.IsZero() || at.Before(next.At) {
			next.At = at
		}
	}
	if next.At.IsZero() {
		// It has no site yet.
		next.At = now.Add(time.Hour)
	}
	next.Wait = max(0, next.At.Sub(now))
	return next, nil
}

// zones are those in which a rule's window opens.
func (in *Intake) zones(ctx context.Context, env busbar.Environment, r *ruleInForce) ([]*time.Location, error) {
	if r.siteless() {
		return []*time.Location{time.UTC}, nil
	}
	names, err := in.cfg.Store.Timezones(ctx, env, r.Rule.SiteIDs)
	if err != nil {
		return nil, err
	}
	zones := make([]*time.Location, len(names))
	for i, name := range names {
		site := busbar.Site{Timezone: name}
		zones[i] = site.Location()
	}
	return zones, nil
}

// siteless reports whether a rule has one edge for all sites, so that its window belongs to none.
func (r *ruleInForce) siteless() bool { return r.Rule.Scope == rules.ScopeRule }

// OpenWindow has a rule decide at the next site of a page at which its window opens then. ok is false when there is none, and when
// it is too late for all of them.
func (in *Intake) OpenWindow(ctx context.Context, page WindowPage) (site busbar.SiteID, ok bool, err error) {
	set, err := in.cfg.Store.RuleSet(ctx, page.Environment)
	if err != nil {
		return "", false, err
	}
	r := in.rulebooks.get(page.Environment, set).byID[page.RuleID]
	if r == nil || r.Rule.Window == nil || in.cfg.Now().Sub(page.At) > r.Rule.ActWithin {
		return "", false, nil
	}
	if r.siteless() {
		if page.After != "" {
			return "", false, nil
		}
		return sharedKey, true, in.do(ctx, page.Environment, &openingTask{page: page})
	}
	for after := page.After; ; after = site {
		found, more, err := in.cfg.Store.NextSite(ctx, page.Environment, r.Rule.SiteIDs, after)
		if err != nil || !more {
			return "", false, err
		}
		site = found.ID
		if r.NextOpening(page.At.Add(-time.Microsecond), found.Location()).Equal(page.At) {
			return site, true, in.do(ctx, page.Environment, &openingTask{page: page, siteID: site})
		}
	}
}

// openingTask has a rule decide for all of its keys at a site, or for the one that belongs to none.
type openingTask struct {
	page   WindowPage
	siteID busbar.SiteID
}

func (t *openingTask) concerns(*store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	return nil, true, nil
}

func (t *openingTask) site() busbar.SiteID { return t.siteID }

func (t *openingTask) size() int { return 20 }

func (t *openingTask) decide(g *group, u *unit) error {
	book, err := g.book(u.env)
	if err != nil {
		return err
	}
	r := book.byID[t.page.RuleID]
	if r == nil || r.Rule.Window == nil {
		return nil
	}
	snap := &rules.Snapshot{Environment: u.env, Stopped: book.set.Stopped(t.siteID), Explain: true}
	keys := []string{sharedKey}
	if t.siteID != "" {
		site, ok := g.homes.Sites[store.SiteRef{Environment: u.env, ID: t.siteID}]
		if !ok {
			return nil // deleted just now
		}
		if err := g.furnish(snap, site, []*ruleInForce{r}); err != nil {
			return err
		}
		keys = r.keysAt(snap)
	}
	if err := g.readEdges(book, u.env, keys, len(keys)); err != nil {
		return err
	}
	for _, key := range keys {
		if err := t.open(g, u, r, snap, key); err != nil {
			return err
		}
	}
	return nil
}

// keysAt are the scope keys that a rule may have at a site.
func (r *ruleInForce) keysAt(snap *rules.Snapshot) []string {
	if r.Rule.Scope == rules.ScopeSite || r.Rule.Scope == "" && r.Rule.DeviceType == "" {
		return []string{"site:" + string(snap.Site.ID)}
	}
	var keys []string
	for _, d := range snap.Devices {
		if r.Rule.DeviceType == "" || r.Rule.DeviceType == d.Family {
			keys = append(keys, "device:"+string(d.ID))
		}
	}
	return keys
}

// open decides for one key. What was decided about it at this opening before stays.
func (t *openingTask) open(g *group, u *unit, r *ruleInForce, snap *rules.Snapshot, key string) error {
	if snap.Site != nil && r.Rule.Then[0].Push != nil {
		// An action for the key before may have taken a device.
		at, err := g.room(snap.Site)
		if err != nil {
			return err
		}
		if snap.Open, err = g.openAt(at); err != nil {
			return err
		}
	}
	var device *busbar.Device
	if id, ok := rules.KeyDevice(key); ok {
		i := slices.IndexFunc(snap.Devices, func(d *busbar.Device) bool { return d.ID == id })
		device = snap.Devices[i]
	}
	edge := g.edges[r.edgeRef(u.env, key)]
	standing := r.standing(&edge)
	standing.Paused = standing.Paused || g.paused[ruleRef{u.env, r.id}]
	run := rules.OpenWindow(snap, &standing, key, device, t.page.At)
	run.Lateness = max(0, g.now.Sub(t.page.At))
	if decided, err := g.tx.HasRun(u.env, busbar.RunID(run.ID)); err != nil || decided {
		return err
	}
	if run.Firing != nil {
		run.Firing.Causation = busbar.Causation{ParentID: run.ID, RuleID: string(r.id), Depth: 1}
	}
	if !run.Moved() {
		return t.note(g, r, &run)
	}
	return errorOf(g.keepRun(u, r, &run, nil, snap.Site), g.strike(u, r, &run))
}

// note keeps a run that moved nothing: it has no event in whose pack it could stand.
func (t *openingTask) note(g *group, r *ruleInForce, run *rules.Run) error {
	detail, err := json.Marshal(run.Detail())
	if err != nil {
		return fmt.Errorf("write run of rule %s: %w", run.RuleID, err)
	}
	g.runs = append(g.runs, busbar.Run{
		ID: busbar.RunID(run.ID), Environment: t.page.Environment, RuleID: r.id, RuleVersion: r.version, Shadow: r.shadow, Key: run.Key,
		Trigger: string(run.Trigger), SiteID: t.siteID, Decision: string(run.Decision), DecidedAt: run.DecidedAt, Lateness: run.Lateness,
		Detail: detail,
	})
	return nil
}
