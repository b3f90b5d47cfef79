package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"busbar"
	"busbar/internal/forward"
)

type listenCmd struct {
	ForwardTo string   `name:"forward-to" required:"" placeholder:"URL" help:"Where deliveries are taken to, such as http://localhost:3000/hook."`
	URL       string   `name:"url" default:"http://127.0.0.1:8080" help:"The Busbar server."`
	APIKey    string   `name:"api-key" placeholder:"KEY" help:"API key with the scope endpoints:*; its environment is the one that is listened to. Default: $BUSBAR_API_KEY."`
	Events    []string `placeholder:"TYPE,…" help:"Event types and globs, such as push.*,device.updated; default: all but operational."`
}

const apiKeyVariable = "BUSBAR_API_KEY" //nolint:gosec // the name of a variable, not a credential

// Run forwards until the context ends.
func (c *listenCmd) Run(ctx context.Context, e env) error {
	if _, err := forward.CheckURL(c.ForwardTo, "http://localhost:3000/hook"); err != nil {
		return fmt.Errorf("--forward-to: %w", err)
	}
	if _, err := forward.CheckURL(c.URL, "http://127.0.0.1:8080"); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	key, err := apiKey(c.APIKey)
	if err != nil {
		return err
	}
	err = forward.Run(ctx, forward.Config{Server: c.URL, Target: c.ForwardTo, APIKey: key, EventTypes: c.Events, Out: e.stdout})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return nil
}

// apiKey is the key that a command speaks to a server with: the one that was given, or that of the environment.
func apiKey(given string) (string, error) {
	key := strings.TrimSpace(given)
	if key == "" {
		key = secret(apiKeyVariable)
	}
	if key == "" {
		return "", errors.New("--api-key: there is none; give one here or in " + apiKeyVariable)
	}
	if err := busbar.CheckKey(key); err != nil {
		return "", fmt.Errorf("--api-key: %w", err)
	}
	if _, ok := busbar.KeyEnvironment(key); !ok {
		return "", errors.New("--api-key: it must begin with sk_test_ or sk_live_")
	}
	return key, nil
}
