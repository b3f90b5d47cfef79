package main

import (
	"context"
	"fmt"

	"busbar"
	"busbar/internal/store"
)

// bootstrapKey is how the banner shows a key: whole when it was made just now, else its beginning.
type bootstrapKey struct {
	env   busbar.Environment
	shown string
	fresh bool
}

// bootstrapVariable names the variable that sets the environment's first key.
func bootstrapVariable(env busbar.Environment) string {
	if env == busbar.Live {
		return "BUSBAR_LIVE_KEY"
	}
	return "BUSBAR_SANDBOX_KEY"
}

// ensureKeys makes the keys of the configuration usable. With generate, an environment that has no key gets one.
func ensureKeys(ctx context.Context, s *store.Store, generate bool) ([]bootstrapKey, error) {
	keys := make([]bootstrapKey, 0, len(busbar.Environments()))
	for _, env := range busbar.Environments() {
		key, err := ensureKey(ctx, s, env, generate)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func ensureKey(ctx context.Context, s *store.Store, env busbar.Environment, generate bool) (bootstrapKey, error) {
	key := bootstrapKey{env: env}
	if text := secret(bootstrapVariable(env)); text != "" {
		if len(text) < minKeyLength {
			return key, fmt.Errorf("%s is too short: use %s and at least %d random characters",
				bootstrapVariable(env), env.KeyPrefix(), minKeyLength-len(env.KeyPrefix()))
		}
		if err := busbar.CheckKey(text); err != nil {
			return key, fmt.Errorf("%s: %w", bootstrapVariable(env), err)
		}
		key.shown = busbar.KeyHint(text) + " (from " + bootstrapVariable(env) + ")"
		if err := s.EnsureBootstrapKey(ctx, env, text); err != nil {
			return key, fmt.Errorf("%s: %w", bootstrapVariable(env), err)
		}
		return key, nil
	}
	hint, err := s.BootstrapKeyHint(ctx, env)
	if err != nil {
		return key, err
	}
	if hint != "" {
		key.shown = hint + " (printed when it was made)"
		return key, nil
	}
	if !generate {
		key.shown = "none; set " + bootstrapVariable(env)
		return key, nil
	}
	text, err := busbar.NewKey(env)
	if err != nil {
		return key, err
	}
	key.shown, key.fresh = text, true
	return key, s.EnsureBootstrapKey(ctx, env, text)
}

// minKeyLength is the prefix and enough characters that the key cannot be guessed, yet short enough for keys that
// people type in development.
const minKeyLength = len("sk_test_") + 8
