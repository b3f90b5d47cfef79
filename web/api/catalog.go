package api

import (
	"context"
	"fmt"
	"sync"

	"busbar"
	"busbar/internal/schema"
	"busbar/internal/store"
)

// maxCompiled bounds how many compiled schemas are kept: every type of both environments fits.
const maxCompiled = 2*busbar.MaxEventTypes + 64

// catalog knows event types with their compiled schemas. What it knows stays true: types never change once registered.
type catalog struct {
	store *store.Store

	mu    sync.RWMutex
	known map[typeRef]*knownType
}

type typeRef struct {
	env  busbar.Environment
	name string
}

type knownType struct {
	busbar.EventType
	schema *schema.Schema
}

func newCatalog(s *store.Store) *catalog {
	return &catalog{store: s, known: make(map[typeRef]*knownType)}
}

// get finds a type, or NOT_FOUND.
func (c *catalog) get(ctx context.Context, env busbar.Environment, name string) (*knownType, error) {
	ref := typeRef{env, name}
	c.mu.RLock()
	t := c.known[ref]
	c.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	if !busbar.ValidTypeName(name) {
		return nil, busbar.Errorf(busbar.CodeNotFound, "there is no event type %q", name)
	}
	found, err := c.store.EventType(ctx, env, name)
	if err != nil {
		return nil, err
	}
	compiled, err := schema.Compile("schema", found.Schema)
	if err != nil {
		// It was compiled before it was registered, so this is not the client's fault, and must not pass for its.
		return nil, fmt.Errorf("compile schema of %s: %s", name, err.Error())
	}
	t = &knownType{found, compiled}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCompiled {
		for ref := range c.known {
			delete(c.known, ref)
			break
		}
	}
	c.known[ref] = t
	return t, nil
}
