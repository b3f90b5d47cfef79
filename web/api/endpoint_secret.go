package api

import (
	"context"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/web/strictjson"
)

const (
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 168 * time.Hour
)

// RotateBody gives an endpoint a new key.
type RotateBody struct {
	Overlap strictjson.Optional[string] `json:"overlap" doc:"How long the keys of now go on signing: a Go duration from 0s to 168h, default 24h." example:"24h"`
}

func (a *API) getSecret(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	keys, err := a.Store.SigningKeys(ctx, r.Env, busbar.EndpointID(id))
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewSecrets(keys)}, nil
}

func (a *API) rotateSecret(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	body, err := decode[RotateBody](r)
	if err != nil {
		return nil, err
	}
	overlap := defaultOverlap
	if body.Overlap.Has() {
		if overlap, err = time.ParseDuration(body.Overlap.Value); err != nil {
			return nil, busbar.Invalid("overlap", "format", "must be a Go duration, as 24h")
		}
		if overlap < 0 || overlap > maxOverlap {
			return nil, busbar.Invalid("overlap", "out_of_range", "must be from 0s to %s", maxOverlap)
		}
	}
	e, err := a.Store.Endpoint(ctx, r.Env, busbar.EndpointID(id))
	if err != nil {
		return nil, err
	}
	return a.create(ctx, r, http.StatusOK, func(tx *store.Tx) (any, error) {
		now := a.Now()
		fresh, err := newSigningKeys(e.Signing, now)
		if err != nil {
			return nil, err
		}
		if err := tx.RotateKeys(r.Env, e.ID, overlap, fresh); err != nil {
			return nil, err
		}
		all, err := tx.SigningKeys(e.ID)
		if err != nil {
			return nil, err
		}
		return viewSecrets(all), nil
	})
}
