package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
)

// profileFlags open the profiler, on an address of its own that nobody else should reach.
type profileFlags struct {
	ProfileAddr string `name:"profile-addr" env:"BUSBAR_PROFILE_ADDR" help:"Listen address for Go's profiler, such as 127.0.0.1:6060; default: none."`
}

// start serves the profiler until the closer runs.
func (f profileFlags) start(ctx context.Context, e env, closer *closers) error {
	if f.ProfileAddr == "" {
		return nil
	}
	l, err := listen(ctx, f.ProfileAddr)
	if err != nil {
		return fmt.Errorf("--profile-addr: %w", errors.Unwrap(err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	s := serveHTTP(l, mux, e.logger)
	closer.add(s.close)
	return nil
}
