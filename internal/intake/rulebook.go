package intake

import (
	"fmt"
	"log/slog"
	"sync"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// rulebook are the rules in force of an environment at one generation, compiled.
type rulebook struct {
	set   *store.RuleSet
	rules []*ruleInForce
	byID  map[busbar.RuleID]*ruleInForce
	// shared are the rules whose edge may belong to all sites.
	shared []busbar.RuleID

	mu        sync.Mutex
	listening map[occasion][]*ruleInForce
}

// ruleInForce is a rule that decides.
type ruleInForce struct {
	*rules.Compiled
	id      busbar.RuleID
	version int
	paused  bool
	shadow  bool
}

// occasion is what a rule listens to.
type occasion struct {
	eventType string
	family    busbar.Family
}

// maxOccasions bounds what is remembered of who listens to what; there are as many as types of events times families.
const maxOccasions = 1000

// at gives the rules that listen to events of a type about devices of a family.
func (b *rulebook) at(o occasion) []*ruleInForce {
	b.mu.Lock()
	defer b.mu.Unlock()
	if list, ok := b.listening[o]; ok {
		return list
	}
	var list []*ruleInForce
	for _, r := range b.rules {
		if r.Rule.Listens(o.eventType, o.family) {
			list = append(list, r)
		}
	}
	if len(b.listening) >= maxOccasions {
		clear(b.listening)
	}
	b.listening[o] = list
	return list
}

// rulebooks keeps the rules of environments compiled: at most busbar.MaxActiveRules of each.
type rulebooks struct {
	mu     sync.Mutex
	books  map[busbar.Environment]*rulebook
	logger *slog.Logger
}

// get compiles what is new since it was asked last.
func (b *rulebooks) get(env busbar.Environment, set *store.RuleSet) *rulebook {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.books[env]
	if was != nil && was.set == set {
		return was
	}
	book := &rulebook{set: set, byID: make(map[busbar.RuleID]*ruleInForce, len(set.Rules)), listening: make(map[occasion][]*ruleInForce)}
	for i := range set.Rules {
		r := &set.Rules[i]
		compiled := was.compiled(r)
		if compiled == nil {
			var err error
			if compiled, err = compile(r); err != nil {
				// It was checked when it was saved, by a program that knew another language.
				b.logger.Warn("a rule cannot be used any more; save it again", "rule_id", r.ID, "version", r.Version, "error", err)
				continue
			}
		}
		force := &ruleInForce{compiled, r.ID, r.Version, r.Paused(), compiled.Rule.Mode == rules.ModeShadow}
		book.rules = append(book.rules, force)
		book.byID[r.ID] = force
		if compiled.Rule.Scope == rules.ScopeRule || compiled.Rule.Scope == "" && compiled.Rule.DeviceType == "" {
			book.shared = append(book.shared, r.ID)
		}
	}
	if b.books == nil {
		b.books = make(map[busbar.Environment]*rulebook, 2)
	}
	b.books[env] = book
	return book
}

// compiled is what an earlier book has of a rule, if that is still the same.
func (b *rulebook) compiled(r *busbar.Rule) *rules.Compiled {
	if b == nil {
		return nil
	}
	have := b.byID[r.ID]
	if have == nil || have.version != r.Version || have.Rule.Mode != rules.Mode(r.Mode) {
		return nil
	}
	return have.Compiled
}

// compile reads a stored rule. Its mode is the one that was set last, whatever its text says.
func compile(r *busbar.Rule) (*rules.Compiled, error) {
	parsed, err := rules.ParseJSON(r.Text)
	if err != nil {
		return nil, fmt.Errorf("read rule %s: %w", r.ID, err)
	}
	parsed.Mode = rules.Mode(r.Mode)
	compiled, err := rules.Compile(parsed)
	if err != nil {
		return nil, fmt.Errorf("compile rule %s: %w", r.ID, err)
	}
	return compiled, nil
}

// standing is a rule with where it stands with the key that it is asked about.
func (r *ruleInForce) standing(edge *rules.EdgeState) rules.Standing {
	return rules.Standing{Compiled: r.Compiled, ID: string(r.id), Version: r.version, Paused: r.paused, Edge: edge}
}
