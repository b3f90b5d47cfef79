package main

import (
	"context"
	"errors"

	"busbar/internal/keyring"
	"busbar/internal/store"
)

type serveCmd struct {
	Addr          string `env:"BUSBAR_ADDR" default:"127.0.0.1:8080" help:"API and dashboard listen address."`
	AllowCIDRs    string `name:"allow-cidrs" env:"BUSBAR_ALLOW_CIDRS" help:"Private ranges that endpoints may live in."`
	Worker        bool   `env:"BUSBAR_WORKER" default:"true" negatable:"" help:"Whether a worker runs, too."`
	TemporalUIURL string `name:"temporal-ui-url" env:"BUSBAR_TEMPORAL_UI_URL" help:"URL of the cluster's web UI, for links."`
	Simulate      bool   `env:"BUSBAR_SIMULATE" default:"false" negatable:"" help:"Run a simulated home in the sandbox environment; in one copy only."`
	databaseFlags
	RateLimit float64 `name:"rate-limit" env:"BUSBAR_RATE_LIMIT" default:"600" help:"Requests a second for one API key; 0 is no limit."`
	speedFlags
	temporalFlags
	deliveryFlags
	profileFlags
	apiFlags
}

type workerCmd struct {
	Addr       string `env:"BUSBAR_ADDR" default:"off" help:"Listen address for /healthz, /readyz and /metrics; off disables."`
	AllowCIDRs string `name:"allow-cidrs" env:"BUSBAR_ALLOW_CIDRS" help:"Private ranges that endpoints may live in."`
	databaseFlags
	temporalFlags
	deliveryFlags
	profileFlags
}

// check refuses values before anything is begun.
func (c *serveCmd) check() error {
	if err := c.speedFlags.check(); err != nil {
		return err
	}
	return c.apiFlags.check()
}

// Run serves until the context ends.
func (c *serveCmd) Run(ctx context.Context, e env) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	closer := &closers{}
	defer func() { err = errors.Join(err, closer.close()) }()
	if err := c.start(ctx, e, closer); err != nil {
		return err
	}
	db, ring, err := openMigrated(ctx, c.databaseFlags, closer)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, c.Addr)
	if err != nil {
		return err
	}
	keys, err := ensureKeys(ctx, db, false)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	url := publicURL(c.PublicURL, listener)
	login, err := ensureAdmin(ctx, db, url)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return runProcess(ctx, e, closer, processConfig{
		store: db, keyring: ring, temporal: c.temporalFlags, delivery: c.deliveryFlags, rateLimit: c.RateLimit,
		allow: c.AllowCIDRs, worker: c.Worker, listener: listener, publicURL: url, temporalUI: c.TemporalUIURL,
		simulateSpeed: c.speed(c.Simulate), banner: banner{url: url, temporalUI: c.TemporalUIURL, keys: keys, login: login},
	})
}

// Run works until the context ends.
func (c *workerCmd) Run(ctx context.Context, e env) (err error) {
	closer := &closers{}
	defer func() { err = errors.Join(err, closer.close()) }()
	if err := c.start(ctx, e, closer); err != nil {
		return err
	}
	db, ring, err := openMigrated(ctx, c.databaseFlags, closer)
	if err != nil {
		return err
	}
	addr := c.Addr
	if addr == "off" {
		addr = "127.0.0.1:0"
	}
	listener, err := listen(ctx, addr)
	if err != nil {
		return err
	}
	return runProcess(ctx, e, closer, processConfig{
		store: db, keyring: ring, temporal: c.temporalFlags, delivery: c.deliveryFlags, allow: c.AllowCIDRs,
		worker: true, apiless: true, listener: listener,
		banner: banner{url: "none (worker); health and metrics at " + publicURL("", listener)},
	})
}

// openMigrated opens the database and refuses one that lacks migrations.
func openMigrated(ctx context.Context, f databaseFlags, closer *closers) (*store.Store, *keyring.Keyring, error) {
	ring, err := masterKeyring()
	if err != nil {
		return nil, nil, err
	}
	db, err := f.open(ctx, ring)
	if err != nil {
		return nil, nil, err
	}
	closer.add(db.Close)
	pending, err := db.MigrationsPending(ctx)
	if err != nil {
		return nil, nil, err
	}
	if pending {
		return nil, nil, errors.New("the database lacks migrations; run: busbar migrate up")
	}
	if err := db.CheckKeyring(ctx); err != nil {
		return nil, nil, err
	}
	return db, ring, nil
}
