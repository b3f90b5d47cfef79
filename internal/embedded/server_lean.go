//go:build lean

package embedded

import (
	"context"
	"errors"
)

// Server stands for the server that this build has not got.
type Server struct{}

// Start always fails: the server was left out of this build.
func Start(context.Context, Config) (*Server, error) {
	return nil, errors.New("this binary was built without the embedded Temporal server (tag lean); " +
		"use `busbar serve` with --temporal-addr")
}

// FrontendAddr is empty.
func (*Server) FrontendAddr() string { return "" }

// UIURL is empty.
func (*Server) UIURL() string { return "" }

// Stop does nothing.
func (*Server) Stop(context.Context) error { return nil }
