package api

import (
	"context"
	"sync"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// suspicions are warnings that take looking at what else there is. Compiled is nil when the rule does not compile.
func (a *API) suspicions(ctx context.Context, env busbar.Environment, rule *rules.Rule, compiled *rules.Compiled) ([]rules.Diagnostic, error) {
	found, err := a.unregistered(ctx, env, rule)
	if err != nil {
		return nil, err
	}
	missing, err := a.missingSites(ctx, env, rule)
	if err != nil || compiled == nil {
		return append(found, missing...), err
	}
	found = append(found, missing...)
	devices, err := a.devicesFor(ctx, env, compiled)
	if err != nil {
		return nil, err
	}
	found = append(found, rules.Lacking(compiled, devices)...)
	others, err := a.inForce.get(ctx, a.Store, env)
	if err != nil {
		return nil, err
	}
	return append(found, rules.Conflicts(&rules.Standing{Compiled: compiled, ID: rule.ID}, others)...), nil
}

// maxSitesLooked is at the devices of how many sites a check looks.
const maxSitesLooked = 20

// devicesFor are the devices that a rule may be about, by their families. A family with too many to look at is not there, and
// neither is any as long as there are no devices at all.
func (a *API) devicesFor(ctx context.Context, env busbar.Environment, c *rules.Compiled) (map[busbar.Family][]busbar.Device, error) {
	families := c.Families()
	devices := make(map[busbar.Family][]busbar.Device, len(families))
	if len(c.Rule.SiteIDs) == 0 {
		one, err := a.Store.Devices(ctx, env, store.DeviceFilter{}, busbar.PageRequest{Limit: 1})
		if err != nil || len(one.Items) == 0 {
			return nil, err
		}
		for _, family := range families {
			page, err := a.Store.Devices(ctx, env, store.DeviceFilter{Family: family}, busbar.PageRequest{Limit: busbar.MaxPageSize})
			if err != nil {
				return nil, err
			}
			if page.NextCursor == "" {
				devices[family] = page.Items
			}
		}
		return devices, nil
	}
	if len(c.Rule.SiteIDs) > maxSitesLooked {
		return nil, nil
	}
	for _, family := range families {
		devices[family] = nil
	}
	there := 0
	for _, id := range c.Rule.SiteIDs {
		list, err := a.Store.DevicesOfSite(ctx, env, busbar.SiteID(id))
		if err != nil {
			return nil, err
		}
		there += len(list)
		for i := range list {
			devices[list[i].Family] = append(devices[list[i].Family], list[i])
		}
	}
	if there == 0 {
		return nil, nil
	}
	return devices, nil
}

// inForce keeps the rules of environments compiled, for checks, until one of them changes.
type inForce struct {
	mu      sync.Mutex
	entries map[busbar.Environment]compiledSet
}

type compiledSet struct {
	generation int64
	rules      []*rules.Standing
}

func (f *inForce) get(ctx context.Context, s *store.Store, env busbar.Environment) ([]*rules.Standing, error) {
	set, err := s.RuleSet(ctx, env)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if have, ok := f.entries[env]; ok && have.generation == set.Generation {
		return have.rules, nil
	}
	made := compiledSet{generation: set.Generation}
	for i := range set.Rules {
		r := &set.Rules[i]
		// What does not compile any more decides nothing, so that nothing can be in its way.
		rule, err := rules.ParseJSON(r.Text)
		if err != nil {
			continue
		}
		rule.Mode = rules.Mode(r.Mode)
		if compiled, _ := rules.Check(rule); compiled != nil {
			made.rules = append(made.rules, &rules.Standing{Compiled: compiled, ID: string(r.ID), Version: r.Version})
		}
	}
	if f.entries == nil {
		f.entries = make(map[busbar.Environment]compiledSet, 2)
	}
	f.entries[env] = made
	return made.rules, nil
}
