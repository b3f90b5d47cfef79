package intake

import (
	"sync"

	"busbar"
	"busbar/rules"
)

// filters keeps the filters of endpoints compiled, by their source.
type filters struct {
	mu       sync.Mutex
	compiled map[string]*rules.Filter
}

// maxFilters is two environments with an endpoint's filter each. Beyond it the filters of endpoints that have changed
// are dropped with all others.
const maxFilters = 2 * busbar.MaxEndpoints

// match reports whether a filter is true of an event; an empty one is true of all.
func (f *filters) match(source string, e *busbar.Event) (bool, error) {
	if source == "" {
		return true, nil
	}
	filter, err := f.get(source)
	if err != nil {
		return false, err
	}
	return filter.Match(e.Type, e.Data)
}

func (f *filters) get(source string) (*rules.Filter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if filter, ok := f.compiled[source]; ok {
		return filter, nil
	}
	filter, err := rules.CompileFilter(source)
	if err != nil {
		return nil, err
	}
	if f.compiled == nil || len(f.compiled) >= maxFilters {
		f.compiled = make(map[string]*rules.Filter)
	}
	f.compiled[source] = filter
	return filter, nil
}
