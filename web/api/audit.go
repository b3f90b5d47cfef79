package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"busbar"
)

// Actor is who asks: a person, or a program by its API key.
type Actor struct {
	ID, Name string
	// Address is where the request came from.
	Address string
	// Person: what they do is kept in the audit log even where for a program it is daily work.
	Person bool
}

// audit is what the audit log keeps of a route. It follows from the route's path, so that a new route is kept, too.
type audit struct {
	// action is what was done, as endpoint.update.
	action string
	// read shows the thing before and after; nil when nothing does. It never shows a secret.
	read *Route
	// key is read's parameter, and the field of a creation's answer that fills it in.
	key string
	// answer: what was done is in the answer, and nothing there was changed by it.
	answer bool
}

// unaudited routes change nothing, or are the traffic that there is a history of.
func unaudited() []string {
	return []string{
		"POST /v1/devices/{id}/state", "POST /v1/devices/state", "POST /v1/devices/{id}/connection", "POST /v1/actions/{id}/result",
		"POST /v1/listeners", "POST /v1/listeners/{id}/answers", "DELETE /v1/listeners/{id}", "POST /v1/rules/check", "POST /v1/rules/backtest",
		"POST /v1/rules/explain",
	}
}

// namedActions are those whose name does not follow from the path.
func namedActions() map[string]string {
	return map[string]string{
		"POST /v1/events":                          "event.send",
		"GET /v1/endpoints/{id}/secret":            "endpoint.reveal_secret",
		"POST /v1/endpoints/{id}/secret/rotate":    "endpoint.rotate_secret",
		"DELETE /v1/api-keys/{id}":                 "api_key.revoke",
		"DELETE /v1/devices/{id}/hold":             "device.end_hold",
		"POST /v1/simulator/{id}/faults":           "device.fault",
		"DELETE /v1/simulator/{id}/faults":         "device.clear_faults",
		"POST /v1/rules/{id}/versions/{n}/restore": "rule.restore",
		"POST /v1/automation":                      "automation.switch",
	}
}

// daily reports whether programs do it all day: of people only it is kept.
func (u *audit) daily() bool {
	return slices.Contains([]string{"event.send", "device.push", "action.cancel"}, u.action)
}

// audits are what is kept, by the route's method and path.
var audits = sync.OnceValue(func() map[string]*audit {
	kept := make(map[string]*audit)
	for name, route := range routesByName() {
		if u := auditOf(route); u != nil {
			kept[name] = u
		}
	}
	return kept
})

// auditOf says what is kept of a route; nil is nothing.
func auditOf(r *Route) *audit {
	name := r.Method + " " + r.Path
	action, named := namedActions()[name]
	if !named && (r.Method == http.MethodGet || slices.Contains(unaudited(), name)) {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(r.Path, "/v1/"), "/")
	list := parts[0]
	if list == "simulator" || slices.ContainsFunc(busbar.Families(), func(f busbar.Family) bool { return f.Segment() == list }) {
		list = "devices"
	}
	u := &audit{action: action, key: "id"}
	if !named {
		u.action = singular(list) + "." + verbOf(r.Method, parts, list != parts[0])
	}
	switch u.action {
	case "event.send", "device.push", "device.fault", "endpoint.recover", "endpoint.replay", "automation.switch":
		u.answer = true
	case "event_type.create":
		u.key = "name"
	}
	u.read = routesByName()[http.MethodGet+" /v1/"+list+"/{"+u.key+"}"]
	return u
}

// verbOf is what a route does to its thing. A POST to a device by its family pushes a command.
func verbOf(method string, parts []string, family bool) string {
	last := parts[len(parts)-1]
	switch {
	case method == http.MethodDelete:
		return "delete"
	case method == http.MethodPatch || method == http.MethodPut:
		return "update"
	case family && strings.HasPrefix(last, "{"):
		return "push"
	case len(parts) == 1:
		return "create"
	default:
		return last
	}
}

func singular(list string) string {
	list = strings.ReplaceAll(list, "-", "_")
	if stem, ok := strings.CutSuffix(list, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(list, "s")
}

// run handles a request and keeps in the audit log what it changed. It is the one way to a handler, for programs and people.
func (a *API) run(ctx context.Context, route *Route, r *Request) (*Reply, error) {
	r.route = route
	u := audits()[route.Method+" "+route.Path]
	if u == nil || u.daily() && !r.Actor.Person {
		return route.Handle(a, ctx, r)
	}
	id := r.Params[u.key]
	before, err := a.shown(ctx, u, r, id)
	if err != nil {
		return nil, err
	}
	reply, err := route.Handle(a, ctx, r)
	if err != nil || r.repeated {
		return reply, err
	}
	// What was done is done, whether or not the client waits for the answer.
	a.record(context.WithoutCancel(ctx), u, r, id, before, reply)
	return reply, nil
}

// shown is how a thing looks now; nil when it does not exist, or is not changed by what is done.
func (a *API) shown(ctx context.Context, u *audit, r *Request, id string) (json.RawMessage, error) {
	if u.read == nil || u.answer || id == "" {
		return nil, nil
	}
	reply, err := u.read.Handle(a, ctx, &Request{Key: r.Key, Env: r.Env, Params: map[string]string{u.key: id}})
	if err == nil {
		return json.Marshal(reply.Data) //nolint:wrapcheck // as the handler gave it
	}
	switch busbar.CodeOf(err) {
	case busbar.CodeNotFound, busbar.CodeDeviceNotFound:
		return nil, nil
	default:
		return nil, err
	}
}

// record writes an entry. The change is done by now: that it could not be recorded is for the log, not for the client.
func (a *API) record(ctx context.Context, u *audit, r *Request, id string, before json.RawMessage, reply *Reply) {
	e := busbar.AuditEntry{
		ID: busbar.NewAuditID(), At: a.Now(), ActorID: r.Actor.ID, ActorName: r.Actor.Name, Address: r.Actor.Address,
		Environment: r.Env, Action: u.action, Target: id, Before: before,
	}
	answer, err := json.Marshal(reply.Data)
	if id == "" && err == nil {
		id = answered(answer, u.key)
		e.Target = id
	}
	if u.answer {
		e.After = answer
	} else if err == nil {
		e.After, err = a.shown(ctx, u, r, id)
	}
	if bytes.Equal(e.Before, e.After) {
		e.Before, e.After = nil, nil
	}
	if err == nil {
		err = a.Store.AddAudit(ctx, &e)
	}
	if err != nil {
		a.Logger.ErrorContext(ctx, "write audit entry", slog.String("action", e.Action), slog.String("target", e.Target), slog.Any("error", err))
	}
}

// answered is the id of what an answer is about.
func answered(answer json.RawMessage, key string) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(answer, &fields) != nil {
		return "" // a batch is about many
	}
	for _, name := range []string{key, "eventId"} {
		var id string
		if json.Unmarshal(fields[name], &id) == nil && id != "" {
			return id
		}
	}
	return ""
}
