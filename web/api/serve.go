package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"busbar"
	"busbar/internal/store"
)

// Serve answers one request of a route. It never panics on what a client sends; panics of ours are the caller's.
func (a *API) Serve(w http.ResponseWriter, r *http.Request, route *Route, call Call) {
	ctx := r.Context()
	if route.Public {
		a.write(ctx, w, route.Status, a.Document)
		return
	}
	key, err := a.authenticate(ctx, r)
	if err != nil {
		a.Fail(ctx, w, call, "", err)
		return
	}
	reply, err := a.answer(ctx, w, r, route, call, key)
	if err == nil {
		err = a.succeed(ctx, w, call, key.Environment, reply)
	}
	if err != nil {
		a.Fail(ctx, w, call, key.Environment, err)
	}
}

func (a *API) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, route *Route, call Call, key busbar.APIKey) (*Reply, error) {
	if err := a.limits.take(key.ID, a.Now()); err != nil {
		return nil, err
	}
	if !key.Allows(route.Scopes...) {
		return nil, forbidden(&key, route)
	}
	query, err := parseQuery(r.URL.RawQuery, route.Query)
	if err != nil {
		return nil, err
	}
	req := &Request{
		Key: key, Actor: Actor{ID: string(key.ID), Name: key.Name + " " + key.Hint, Address: address(r)}, Env: key.Environment,
		Params: call.Params, Query: query, Extend: extender(w),
	}
	if route.YAML {
		req.YAML, req.WantYAML = isYAML(r.Header.Get("Content-Type")), wantsYAML(r.Header.Values("Accept"))
	}
	if route.Body != nil {
		if req.Body, err = readBody(w, r, route.EmptyBody); err != nil {
			return nil, err
		}
	}
	if route.Creates {
		if req.Idempotency, err = idempotency(r, key.ID, req.Body); err != nil {
			return nil, err
		}
	}
	return a.run(ctx, route, req)
}

// address is where a request came from.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// parseQuery refuses parameters that the route does not have.
func parseQuery(raw string, params []Param) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, busbar.Invalid("query", "invalid", "is not a query string")
	}
	for name, values := range query {
		if !hasParam(params, name) {
			e := busbar.Errorf(busbar.CodeUnknownField, "%s: there is no such query parameter", name)
			e.Fields = []busbar.FieldError{{Path: name, Code: "unknown_field", Message: "there is no such query parameter"}}
			return nil, e
		}
		if len(values) > 1 {
			return nil, busbar.Invalid(name, "repeated", "is given more than once")
		}
		if strings.ContainsFunc(values[0], unprintable) {
			return nil, busbar.Invalid(name, "format", "has characters that no value has")
		}
	}
	return query, nil
}

func unprintable(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }

func hasParam(params []Param, name string) bool {
	for _, p := range params {
		if p.Name == name {
			return true
		}
	}
	return false
}

// MediaYAML is the type of a rule file.
const MediaYAML = "application/yaml"

// isYAML knows the names that YAML had before it got its own.
func isYAML(mediaType string) bool {
	name, _, err := mime.ParseMediaType(mediaType)
	return err == nil && slices.Contains([]string{MediaYAML, "application/x-yaml", "text/yaml", "text/x-yaml"}, name)
}

// wantsYAML reports whether YAML is the first that a client names of what there is.
func wantsYAML(accept []string) bool {
	for one := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		switch name, _, err := mime.ParseMediaType(one); {
		case isYAML(one):
			return true
		case err == nil && (name == "application/json" || strings.HasSuffix(name, "/*")):
			return false
		}
	}
	return false
}

// readBody takes a body as JSON, or where there is a choice as YAML when its Content-Type says so: curl sends form data
// unless told otherwise.
func readBody(w http.ResponseWriter, r *http.Request, mayBeEmpty bool) ([]byte, error) {
	tooLarge := busbar.Errorf(busbar.CodePayloadTooLarge, "the body is larger than %d bytes", busbar.MaxBodyBytes)
	if r.ContentLength > busbar.MaxBodyBytes {
		discard(w, r)
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, busbar.MaxBodyBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		discard(w, r)
		return nil, tooLarge
	}
	if err != nil {
		e := busbar.Errorf(busbar.CodeInvalidJSON, "the body could not be read to its end")
		e.Err = err
		return nil, e
	}
	if len(body) == 0 && mayBeEmpty {
		return []byte("{}"), nil
	}
	return body, nil
}

// What is read, and for how long, of a body that is not taken: most clients look for an answer only when they have sent all, and
// would be told of a broken connection otherwise.
const (
	maxDiscarded = 16 << 20
	discardTime  = 5 * time.Second
)

// discard reads a body that is too large, so that its sender gets to read the answer, and has the connection closed after that. One
// who asked before sending is told at once.
func discard(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	if r.Header.Get("Expect") != "" {
		return
	}
	// Where it cannot be set, the server's own deadline holds.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(discardTime)) //nolint:errcheck // see above
	_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)                              //nolint:errcheck // the answer is the same
}

// maxIdempotencyKey is the longest Idempotency-Key.
const maxIdempotencyKey = 255

func idempotency(r *http.Request, key busbar.KeyID, body []byte) (*store.IdempotencyKey, error) {
	const header = "Idempotency-Key"
	values := r.Header.Values(header)
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) > 1 {
		return nil, busbar.Invalid(header, "repeated", "is given more than once")
	}
	if len(values[0]) < 1 || len(values[0]) > maxIdempotencyKey {
		return nil, busbar.Invalid(header, "length", "must have 1 to %d characters", maxIdempotencyKey)
	}
	for _, c := range []byte(values[0]) {
		if c < 0x21 || c > 0x7e {
			return nil, busbar.Invalid(header, "invalid", "must be of visible ASCII characters")
		}
	}
	return &store.IdempotencyKey{
		APIKeyID: key, Route: r.Method + " " + r.URL.Path, Key: values[0], BodyHash: sha256.Sum256(body),
	}, nil
}

// extender moves the server's deadlines for the answer: that for writing, and that for reading, at which the server takes
// the client for gone. The network's clock is the real one, whatever Config.Now is.
func extender(w http.ResponseWriter) func(time.Duration) error {
	return func(d time.Duration) error {
		c, until := http.NewResponseController(w), time.Now().Add(d)
		err := errors.Join(c.SetReadDeadline(until), c.SetWriteDeadline(until))
		if errors.Is(err, http.ErrNotSupported) {
			return nil // there is no deadline to move
		}
		if err != nil {
			return fmt.Errorf("extend deadline: %w", err)
		}
		return nil
	}
}
