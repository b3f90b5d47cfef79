package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Operation is a route of the API that is asked for in this process, by code that has found out itself who asks and what
// they may. It does what the route does over HTTP, and gives the same errors.
type Operation struct {
	// Method and Path are a route's own; the path's parameters stand in braces there, and in Params here.
	Method, Path string
	Environment  busbar.Environment
	// Actor is who asks; the id keeps the idempotency keys of one apart from those of another.
	Actor  Actor
	Params map[string]string
	Query  url.Values
	// Body is written as JSON; nil is {}.
	Body any
	// YAML is a rule file in the place of a body, where the route takes one.
	YAML []byte
	// Once lets a creation happen once for each value; empty is no such promise.
	Once string
	// Extend gives the answer more time; nil does nothing.
	Extend func(time.Duration) error
}

// routesByName finds a route by its method and path.
var routesByName = sync.OnceValue(func() map[string]*Route {
	routes := Routes()
	byName := make(map[string]*Route, len(routes))
	for i := range routes {
		byName[routes[i].Method+" "+routes[i].Path] = &routes[i]
	}
	return byName
})

// Do runs an operation and gives the data of its answer: a value of the route's Answer, or JSON of one.
func (a *API) Do(ctx context.Context, op Operation) (any, error) {
	route := routesByName()[op.Method+" "+op.Path]
	if route == nil || route.Handle == nil {
		return nil, fmt.Errorf("run operation: there is no route %s %s", op.Method, op.Path)
	}
	query, err := parseQuery(op.Query.Encode(), route.Query)
	if err != nil {
		return nil, err
	}
	req := &Request{
		Key:   busbar.APIKey{ID: busbar.KeyID(op.Actor.ID), Name: op.Actor.Name, Environment: op.Environment, Scopes: []busbar.Scope{busbar.ScopeAll}},
		Actor: op.Actor, Env: op.Environment, Params: op.Params, Query: query, Body: []byte("{}"), Extend: op.Extend,
	}
	if req.Extend == nil {
		req.Extend = func(time.Duration) error { return nil }
	}
	if op.Body != nil {
		if req.Body, err = writeBody(op.Body); err != nil {
			return nil, err
		}
	}
	if op.YAML != nil && route.YAML {
		req.Body, req.YAML = op.YAML, true
	}
	if len(req.Body) > busbar.MaxBodyBytes {
		return nil, busbar.Errorf(busbar.CodePayloadTooLarge, "the request is larger than %d bytes", busbar.MaxBodyBytes)
	}
	if route.Creates && op.Once != "" {
		req.Idempotency = &store.IdempotencyKey{
			APIKeyID: req.Key.ID, Route: op.Method + " " + op.Path, Key: op.Once, BodyHash: sha256.Sum256(req.Body),
		}
	}
	reply, err := a.run(ctx, route, req)
	if err != nil {
		return nil, err
	}
	return reply.Data, nil
}

// writeBody leaves the text of what people typed as it is, where json.Marshal would escape it for HTML.
func writeBody(body any) ([]byte, error) {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	if err := w.Encode(body); err != nil {
		return nil, fmt.Errorf("write body: %w", err)
	}
	return b.Bytes(), nil
}
