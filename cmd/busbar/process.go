package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"busbar/internal/keyring"
	"busbar/internal/simulator"
	"busbar/internal/store"
	"busbar/internal/temporal"
	"busbar/web"
)

// processConfig is what dev, serve and worker have in common once they know their database and cluster.
type processConfig struct {
	store      *store.Store
	keyring    *keyring.Keyring
	temporal   temporalFlags
	delivery   deliveryFlags
	rateLimit  float64
	allow      string
	worker     bool
	apiless    bool
	listener   net.Listener
	publicURL  string
	temporalUI string
	// codec: the Temporal UI has payloads decrypted here.
	codec bool
	// simulateSpeed is zero when there is no simulated home.
	simulateSpeed float64
	// data and durability are those of an embedded database.
	data, durability string
	// gallery: the dashboard shows those who work on it all of its components.
	gallery bool
	banner  banner
}

// runProcess runs a backend behind its HTTP surface until the context ends.
func runProcess(ctx context.Context, e env, closer *closers, cfg processConfig) error {
	c, err := dial(ctx, e, cfg)
	if err != nil {
		return err
	}
	closer.add(func() error { c.Close(); return nil })
	b, err := newBackend(context.WithoutCancel(ctx), backendConfig{
		store: cfg.store, client: c, namespace: cfg.temporal.TemporalNamespace, delivery: cfg.delivery,
		allow: cfg.allow, worker: cfg.worker, logger: e.logger, simulateSpeed: cfg.simulateSpeed,
	})
	if err != nil {
		return err
	}
	closer.add(func() error { b.Close(); return nil })
	handler, err := b.handler(cfg)
	if err != nil {
		return err
	}
	closer.add(func() error { b.endFeeds(); return nil })
	s := serveHTTP(cfg.listener, handler, e.logger)
	s.server.RegisterOnShutdown(b.endFeeds)
	closer.add(s.close)
	// Before the listener closes: programs that wait for requests are answered, and come back to another copy.
	closer.add(func() error { b.listeners.Close(); return nil })
	b.readiness.wait(ctx, cfg.worker)
	if ctx.Err() != nil {
		return s.wait(ctx)
	}
	if cfg.simulateSpeed > 0 {
		stop, err := simulate(ctx, cfg.store, cfg.listener.Addr(), cfg.simulateSpeed, e.logger)
		if err != nil {
			return fmt.Errorf("start simulated home: %w", err)
		}
		closer.add(stop)
		cfg.banner.home = fmt.Sprintf("site %s, a day in %s; --no-simulate turns it off", simulator.Site, simulatedDay(cfg.simulateSpeed))
	}
	cfg.banner.print(e.stdout)
	return s.wait(ctx)
}

// handler is what the process answers over HTTP.
func (b *backend) handler(cfg processConfig) (http.Handler, error) {
	server, err := web.New(web.Config{
		Store: cfg.store, Intake: b.intake, Devices: b.intake, Commands: b.intake, Holds: b.intake, Redeliverer: b.dispatcher, Listeners: b.listeners, Guard: b.guard, Now: time.Now, Logger: b.cfg.logger,
		PublicURL: cfg.publicURL, TemporalUIURL: cfg.temporalUI, Version: version, RateLimit: cfg.rateLimit,
		DeliveryTimeout: cfg.delivery.DeliveryTimeout, Registry: b.registry, Ready: b.ready,
		WorkflowURL: func(workflowID, runID string) string {
			return temporal.WorkflowURL(cfg.temporalUI, cfg.temporal.TemporalNamespace, workflowID, runID)
		},
		WorkflowRetention: temporal.Retention, Gallery: cfg.gallery, Settings: cfg.settings(),
	})
	if err != nil {
		return nil, err
	}
	b.endFeeds = server.EndFeeds
	if cfg.apiless {
		return server.HealthHandler(), nil
	}
	if cfg.codec {
		return withCodec(server.Handler(), cfg.keyring, cfg.temporalUI), nil
	}
	return server.Handler(), nil
}

// dial connects to Temporal and makes sure that the namespace knows our search attributes.
func dial(ctx context.Context, e env, cfg processConfig) (client.Client, error) {
	opts := temporal.Options{
		Addr: cfg.temporal.TemporalAddr, Namespace: cfg.temporal.TemporalNamespace, Logger: e.logger,
		TLSCert: cfg.temporal.TemporalTLSCert, TLSKey: cfg.temporal.TemporalTLSKey, TLSCA: cfg.temporal.TemporalTLSCA,
		APIKey: secret("BUSBAR_TEMPORAL_API_KEY"),
	}
	if cfg.temporal.EncryptPayloads {
		opts.Sealer = cfg.keyring
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := temporal.Dial(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := temporal.Prepare(ctx, c, opts.Namespace); err != nil {
		c.Close()
		return nil, fmt.Errorf("prepare Temporal namespace: %w", err)
	}
	return c, nil
}

// closers end what was started, last first.
type closers struct{ fns []func() error }

func (c *closers) add(fn func() error) { c.fns = append(c.fns, fn) }

func (c *closers) close() error {
	var errs []error
	for _, v := range slices.Backward(c.fns) {
		errs = append(errs, v())
	}
	return errors.Join(errs...)
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
