package api

import (
	"context"
	"net/url"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Route is one method of one path, with all that the server and the API's description need to know.
type Route struct {
	Method string
	// Path has its parameters in braces.
	Path string
	// Group gathers routes in the description.
	Group   string
	Summary string
	// Scopes are the permissions of which a key needs one.
	Scopes []busbar.Scope
	// Public routes need no key.
	Public bool
	Query  []Param
	// Body is a value of the type that the body is read into; nil when the route reads none.
	Body any
	// EmptyBody: no body at all means {}.
	EmptyBody bool
	// Batch: the body may be an array of what Body is, and the answer then is one of what Answer is.
	Batch bool
	// YAML: the body may be a rule file, of the type application/yaml, and so may the answer to a GET.
	YAML bool
	// Creates: the route takes an Idempotency-Key.
	Creates bool
	// Answer is a value of the type of the answer's data.
	Answer any
	// Status is that of success.
	Status int
	// Codes are the errors of this route, beside those of every route.
	Codes []busbar.Code
	// Example is a body as JSON.
	Example string
	// Handle is nil for the route that answers with the description itself.
	Handle func(*API, context.Context, *Request) (*Reply, error)
}

// Param is a query parameter.
type Param struct {
	Name    string
	Doc     string
	Example string
}

// Call is what the server knows of a request before the API does.
type Call struct {
	// ID is the request's own, `req_…`.
	ID    string
	Began time.Time
	// Params are those of the path.
	Params map[string]string
}

// Request is a request whose key was accepted.
type Request struct {
	Key    busbar.APIKey
	Actor  Actor
	Env    busbar.Environment
	Params map[string]string
	Query  url.Values
	Body   []byte
	// YAML: the body is YAML. On a route that has Route.YAML only, as WantYAML, which is what the client would rather have.
	YAML, WantYAML bool
	// Idempotency is nil without an Idempotency-Key, and on routes that take none.
	Idempotency *store.IdempotencyKey
	// Extend gives the answer more time than the server usually does.
	Extend func(time.Duration) error
	// route is the one that is asked for.
	route *Route
	// repeated: the answer is that of an earlier request with the same Idempotency-Key.
	repeated bool
}

// Reply is a success.
type Reply struct {
	Status int
	Data   any
}

// Text is data of a Reply that is sent as it is, without anything around it.
type Text struct {
	MediaType string
	Body      []byte
}
