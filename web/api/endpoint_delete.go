package api

import (
	"context"
	"net/http"

	"busbar"
)

// Deleted says that a resource is gone.
type Deleted struct {
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

func (a *API) deleteEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	if err := a.Store.DeleteEndpoint(ctx, r.Env, busbar.EndpointID(id)); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Deleted{id, true}}, nil
}
