package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"busbar"
)

// builtInCursor begins the cursors that lie in the built-in types. Cursors of the store have no dot.
const builtInCursor = "builtin."

// listEventTypes gives the custom types, newest first, and then the built-in ones.
func (a *API) listEventTypes(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	builtIn := busbar.BuiltInTypes()
	page := busbar.Page[busbar.EventType]{}
	from := 0
	if position, ok := strings.CutPrefix(req.Cursor, builtInCursor); ok {
		if from, err = strconv.Atoi(position); err != nil || from < 0 || from > len(builtIn) {
			return nil, busbar.WrongCursor()
		}
	} else if page, err = a.Store.ListEventTypes(ctx, r.Env, req); err != nil {
		return nil, err
	}
	if page.NextCursor == "" {
		to := min(len(builtIn), from+req.Limit-len(page.Items))
		page.Items = append(page.Items, builtIn[from:to]...)
		if to < len(builtIn) {
			page.NextCursor = builtInCursor + strconv.Itoa(to)
		}
	}
	return listOf(r, page, viewEventType), nil
}

func (a *API) getEventType(ctx context.Context, r *Request) (*Reply, error) {
	known, err := a.catalog.get(ctx, r.Env, r.Params["name"])
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewEventType(&known.EventType)}, nil
}
