package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

type probeCmd struct {
	URL string `arg:"" optional:"" default:"http://127.0.0.1:8080/readyz" help:"What to ask."`
}

// Run asks once; an answer other than 200 is an error.
func (c *probeCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, http.NoBody)
	if err != nil {
		return fmt.Errorf("probe %s: %w", c.URL, err)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("probe %s: %w", c.URL, err)
	}
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("probe %s: %w", c.URL, err)
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("not ready: " + resp.Status)
	}
	return nil
}
