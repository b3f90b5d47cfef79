package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"busbar/internal/embedded"
	"busbar/internal/store"
)

type devCmd struct {
	Addr           string  `env:"BUSBAR_ADDR" default:"127.0.0.1:8080" help:"API and dashboard listen address."`
	Data           string  `env:"BUSBAR_DATA" default:".busbar" help:"Directory of the embedded databases."`
	TemporalUIAddr string  `name:"temporal-ui-addr" env:"BUSBAR_TEMPORAL_UI_ADDR" default:"127.0.0.1:8233" help:"Embedded Temporal UI; off disables it."`
	DatabaseURL    string  `name:"database-url" env:"BUSBAR_DATABASE_URL" help:"postgres://… instead of SQLite in --data."`
	AllowCIDRs     string  `name:"allow-cidrs" env:"BUSBAR_ALLOW_CIDRS" default:"127.0.0.0/8,::1/128" help:"Private ranges that endpoints may live in."`
	Worker         bool    `env:"BUSBAR_WORKER" default:"true" negatable:"" help:"Whether a worker runs, too."`
	Durability     string  `env:"BUSBAR_DURABILITY" enum:"power,process" default:"power" help:"What a 202 survives: power (loss of power) or process (a crash; faster)."`
	Simulate       bool    `env:"BUSBAR_SIMULATE" default:"true" negatable:"" help:"Run a simulated home in the sandbox environment."`
	RateLimit      float64 `name:"rate-limit" env:"BUSBAR_RATE_LIMIT" default:"0" help:"Requests a second for one API key; 0 is no limit."`
	speedFlags
	temporalFlags
	deliveryFlags
	profileFlags
	apiFlags
}

// Run starts everything and ends it when the context ends.
func (c *devCmd) Run(ctx context.Context, e env) (err error) {
	tuneMemory()
	if err := c.check(); err != nil {
		return err
	}
	listener, err := listen(ctx, c.Addr)
	if err != nil {
		return err
	}
	closer := &closers{}
	defer func() { err = errors.Join(err, closer.close()) }()
	if err := c.start(ctx, e, closer); err != nil {
		return err
	}
	closer.add(func() error {
		if err := listener.Close(); err != nil && !errors.Is(err, os.ErrClosed) && !isClosed(err) {
			return err
		}
		return nil
	})
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	url := publicURL(c.PublicURL, listener)
	temporalConfig := embedded.Config{
		DataDir: c.Data, FrontendAddr: c.TemporalAddr, UIAddr: c.TemporalUIAddr,
		Namespace: c.TemporalNamespace, Logger: e.logger,
	}
	if c.EncryptPayloads {
		temporalConfig.UICodecEndpoint = url + codecPath
	}
	server, err := embedded.Start(ctx, temporalConfig)
	if err != nil {
		return fmt.Errorf("start embedded Temporal: %w", err)
	}
	closer.add(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), embeddedStopTime)
		defer cancel()
		return server.Stop(ctx)
	})
	// The server holds the directory from here on: of two first starts at once, one makes the key.
	ring, err := developmentKeyring(c.Data)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{
		URL: c.DatabaseURL, Path: filepath.Join(c.Data, "busbar.db"), Relaxed: c.Durability == durableProcess, Keyring: ring,
	})
	if err != nil {
		return err
	}
	closer.add(db.Close)
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	if err := db.CheckKeyring(ctx); err != nil {
		return err
	}
	if db.Embedded() {
		if err := db.ReleaseStarts(ctx); err != nil {
			return err
		}
	}
	keys, err := ensureKeys(ctx, db, true)
	if err != nil {
		return err
	}
	login, err := ensureAdmin(ctx, db, url)
	if err != nil {
		return err
	}
	c.TemporalAddr = server.FrontendAddr()
	return runProcess(ctx, e, closer, processConfig{
		store: db, keyring: ring, temporal: c.temporalFlags, delivery: c.deliveryFlags, rateLimit: c.RateLimit, allow: c.AllowCIDRs,
		worker: c.Worker, listener: listener, publicURL: url, temporalUI: server.UIURL(), codec: c.EncryptPayloads && server.UIURL() != "",
		gallery: true, simulateSpeed: c.speed(c.Simulate), data: c.Data, durability: c.Durability,
		banner: banner{url: url, temporalUI: server.UIURL(), data: c.Data, keys: keys, login: login},
	})
}

// check refuses values before anything is begun.
func (c *devCmd) check() error {
	if err := c.speedFlags.check(); err != nil {
		return err
	}
	return c.apiFlags.check()
}

// embeddedStopTime is what the embedded server gets to stop.
const embeddedStopTime = 4 * time.Second

// tuneMemory trades memory for CPU: collecting less often makes the embedded server a fifth faster. The limit keeps
// a busy process from growing without need; GOGC and GOMEMLIMIT of the environment win.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

const (
	gcPercent   = 400
	memoryLimit = 288 << 20
)
