package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/web/strictjson"
)

// decode reads the body.
func decode[T any](r *Request) (T, error) {
	var v T
	err := strictjson.Decode(r.Body, &v)
	return v, err
}

// id is a parameter of the path. What cannot be an id is not looked for.
func (r *Request) id(kind string) (string, error) {
	id := r.Params["id"]
	if !busbar.ValidID(id) {
		return "", busbar.NotFound(kind, id)
	}
	return id, nil
}

// page reads limit and cursor.
func (r *Request) page() (busbar.PageRequest, error) {
	req := busbar.PageRequest{Limit: busbar.DefaultPageSize}
	// A cursor that was given before lists had marks has none, and goes on.
	cursor, of, marked := strings.Cut(r.Query.Get("cursor"), markSeparator)
	if marked && of != r.listMark() {
		return req, busbar.WrongCursor()
	}
	req.Cursor = cursor
	if text := r.Query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > busbar.MaxPageSize {
			return req, busbar.Invalid("limit", "out_of_range", "must be a whole number from 1 to %d", busbar.MaxPageSize)
		}
		req.Limit = n
	}
	return req, nil
}

// markSeparator divides a cursor from the mark of its list. It is in neither, and URLs have it as it is.
const markSeparator = "~"

// listMark tells lists apart by environment, path and filters. Since and until are left out: they only cut what is in the
// order of time, and whoever asks for the last hour says another since with each page.
func (r *Request) listMark() string {
	of := make(url.Values, len(r.Query)+len(r.Params))
	for name, values := range r.Query {
		if values[0] != "" && !slices.Contains([]string{"cursor", "limit", "since", "until"}, name) {
			of[name] = values
		}
	}
	for name, value := range r.Params {
		of.Set("{"+name+"}", value)
	}
	sum := sha256.Sum256([]byte(string(r.Env) + " " + r.route.Path + "?" + of.Encode()))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// time reads a parameter that holds a time; the zero time when it is absent.
func (r *Request) time(name string) (time.Time, error) {
	text := r.Query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, ok := busbar.ParseTime(text)
	if !ok {
		return time.Time{}, busbar.Invalid(name, "format", "must be RFC 3339 with a zone, as 2026-06-01T10:30:00Z")
	}
	return t, nil
}

// period reads since and until; what is absent is zero.
func (r *Request) period() (since, until time.Time, err error) {
	if since, err = r.time("since"); err != nil {
		return since, until, err
	}
	if until, err = r.time("until"); err != nil {
		return since, until, err
	}
	return since, until, checkPeriod(since, until)
}

// checkPeriod refuses a period that ends before it begins, or at once: nothing can lie in it. What is zero has no bound.
func checkPeriod(since, until time.Time) error {
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		return busbar.Invalid("since", "out_of_range", "must be before until")
	}
	return nil
}

// checkPast is for what looks at the past only.
func checkPast(since, now time.Time) error {
	if !since.Before(now) {
		return busbar.Invalid("since", "out_of_range", "must be in the past")
	}
	return nil
}

// List is a page as clients see it.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"nextCursor" doc:"The cursor of the next page; null on the last."`
}

func listOf[F, T any](r *Request, page busbar.Page[F], view func(*F) T) *Reply {
	l := List[T]{Items: make([]T, len(page.Items))}
	for i := range page.Items {
		l.Items[i] = view(&page.Items[i])
	}
	if page.NextCursor != "" {
		cursor := page.NextCursor + markSeparator + r.listMark()
		l.NextCursor = &cursor
	}
	return &Reply{http.StatusOK, l}
}

// once makes a handler of one that ends in create: what was answered under an Idempotency-Key is answered again before anything is
// looked at. What it is about may be gone by now, and what it asks for may no longer be allowed.
func once(handle func(*API, context.Context, *Request) (*Reply, error)) func(*API, context.Context, *Request) (*Reply, error) {
	return func(a *API, ctx context.Context, r *Request) (*Reply, error) {
		if r.Idempotency != nil {
			answer, found, err := a.Store.Kept(ctx, *r.Idempotency)
			if err != nil {
				return nil, err
			}
			if found {
				r.repeated = true
				return &Reply{answer.Status, json.RawMessage(answer.Body)}, nil
			}
		}
		return handle(a, ctx, r)
	}
}

// create runs a creation once for an Idempotency-Key. What fill returns is the answer's data.
func (a *API) create(ctx context.Context, r *Request, status int, fill func(tx *store.Tx) (any, error)) (*Reply, error) {
	made := false
	answer, err := a.Store.Once(ctx, r.Idempotency, func(tx *store.Tx) (store.Answer, error) {
		made = true
		data, err := fill(tx)
		if err != nil {
			return store.Answer{}, err
		}
		body, err := json.Marshal(data)
		if err != nil {
			return store.Answer{}, fmt.Errorf("write answer: %w", err)
		}
		return store.Answer{Status: status, Body: body}, nil
	})
	if err != nil {
		return nil, err
	}
	r.repeated = !made
	return &Reply{answer.Status, json.RawMessage(answer.Body)}, nil
}
