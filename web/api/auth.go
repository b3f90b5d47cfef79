package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"busbar"
)

// authenticate finds the key that a request carries. The store is asked each time: a key that was revoked in another
// process is of no use from that moment on.
func (a *API) authenticate(ctx context.Context, r *http.Request) (busbar.APIKey, error) {
	text, err := credential(r)
	if err != nil {
		return busbar.APIKey{}, err
	}
	env, ok := busbar.KeyEnvironment(text)
	if !ok || len(text) > busbar.MaxKeyBytes {
		return busbar.APIKey{}, busbar.Errorf(busbar.CodeInvalidAPIKey, "this is not an API key; they begin with sk_test_ or sk_live_")
	}
	key, err := a.Store.KeyByHash(ctx, busbar.HashKey(text))
	if err != nil {
		return busbar.APIKey{}, fmt.Errorf("authenticate: %w", err)
	}
	if key.Environment != env {
		return busbar.APIKey{}, busbar.Errorf(busbar.CodeInvalidAPIKey, "this API key is not known")
	}
	if err := key.Usable(a.Now()); err != nil {
		return busbar.APIKey{}, err
	}
	if err := a.Store.TouchAPIKey(ctx, &key); err != nil {
		// When a key was last used is not worth failing a request for.
		a.Logger.WarnContext(ctx, "touch API key", slog.String("key_id", string(key.ID)), slog.Any("error", err))
	}
	return key, nil
}

// credential is the key as it was sent.
func credential(r *http.Request) (string, error) {
	text := strings.TrimSpace(r.Header.Get("X-Api-Key"))
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	bearer = strings.TrimSpace(bearer)
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
	}
	switch {
	case text == "" && bearer == "":
		return "", busbar.Errorf(busbar.CodeUnauthorized, "send an API key as x-api-key: KEY or Authorization: Bearer KEY")
	case text != "" && bearer != "" && text != bearer:
		return "", busbar.Errorf(busbar.CodeInvalidAPIKey, "x-api-key and Authorization carry different keys")
	case text == "":
		return bearer, nil
	default:
		return text, nil
	}
}

func forbidden(key *busbar.APIKey, route *Route) error {
	needed := make([]string, len(route.Scopes))
	for i, s := range route.Scopes {
		needed[i] = string(s)
	}
	message := fmt.Sprintf("this needs a key with the scope %s", strings.Join(needed, " or "))
	if len(route.Scopes) == 1 && route.Scopes[0] == busbar.ScopeAll {
		message = "this needs a bootstrap key, which has every scope"
	}
	return &busbar.Error{
		Code: busbar.CodeInsufficientPermission, Message: message,
		Details: map[string]any{"requiredScopes": needed, "scopes": key.Scopes},
	}
}
