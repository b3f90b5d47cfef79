//go:build !lean

package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
)

func (c Config) validate() (Config, error) {
	switch {
	case c.DataDir == "" && c.PostgresDSN == "":
		return c, errors.New("configure Temporal server: data directory is empty")
	case c.Namespace == "":
		return c, errors.New("configure Temporal server: namespace is empty")
	case c.Logger == nil:
		return c, errors.New("configure Temporal server: logger is missing")
	}
	if _, _, err := net.SplitHostPort(c.FrontendAddr); err != nil {
		return c, fmt.Errorf("configure Temporal server: frontend address: %w", err)
	}
	if c.UIAddr == "" {
		c.UIAddr = UIOff
	}
	if c.UIAddr != UIOff {
		if _, _, err := net.SplitHostPort(c.UIAddr); err != nil {
			return c, fmt.Errorf("configure Temporal server: UI address: %w", err)
		}
	}
	switch c.Synchronous = strings.ToUpper(c.Synchronous); c.Synchronous {
	case "":
		c.Synchronous = "NORMAL"
	case "NORMAL", "FULL":
	default:
		return c, fmt.Errorf("configure Temporal server: synchronous must be NORMAL or FULL, not %q", c.Synchronous)
	}
	if c.LogLevel == nil {
		c.LogLevel = slog.LevelWarn
	}
	return c, nil
}
