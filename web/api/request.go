package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
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
	req := busbar.PageRequest{Limit: busbar.DefaultPageSize, Cursor: r.Query.Get("cursor")}
	if text := r.Query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > busbar.MaxPageSize {
			return req, busbar.Invalid("limit", "out_of_range", "must be a whole number from 1 to %d", busbar.MaxPageSize)
		}
		req.Limit = n
	}
	return req, nil
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

// period reads since and until.
func (r *Request) period() (since, until time.Time, err error) {
	if since, err = r.time("since"); err != nil {
		return since, until, err
	}
	until, err = r.time("until")
	return since, until, err
}

// List is a page as clients see it.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"nextCursor" doc:"The cursor of the next page; null on the last."`
}

func listOf[F, T any](page busbar.Page[F], view func(*F) T) *Reply {
	l := List[T]{Items: make([]T, len(page.Items))}
	for i := range page.Items {
		l.Items[i] = view(&page.Items[i])
	}
	if page.NextCursor != "" {
		l.NextCursor = &page.NextCursor
	}
	return &Reply{http.StatusOK, l}
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
