package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"busbar/internal/webhook"
)

// bed is the server under test, started or found, and the way to talk to it.
type bed struct {
	cfg    Config
	prefix string
	client *client
	// server is nil for a target that was running.
	server *server
	// pid is 0 when the process is not known.
	pid   int
	ready time.Duration
}

// openBed starts a server or checks that the target is ready. Event ids will begin with prefix.
func (r *runner) openBed(ctx context.Context, prefix string) (*bed, error) {
	b := &bed{cfg: r.cfg, prefix: prefix}
	if r.cfg.Target == "" {
		if err := b.startServer(ctx); err != nil {
			return nil, err
		}
		return b, nil
	}
	b.client = newClient(strings.TrimSuffix(r.cfg.Target, "/"), r.cfg.Key, r.cfg.RequestTimeout)
	b.pid = r.cfg.PID
	if b.pid != 0 {
		if _, err := memory(b.pid); err != nil {
			return nil, err
		}
	}
	if !b.client.ready(ctx) {
		return nil, errors.New("the target does not answer /readyz with 200")
	}
	return b, nil
}

func (b *bed) startServer(ctx context.Context) error {
	s, err := newServer(b.cfg)
	if err != nil {
		return err
	}
	b.ready, err = s.start(ctx, b.cfg.StartTimeout)
	if err != nil {
		return errors.Join(err, s.remove())
	}
	b.server = s
	b.pid = s.pid()
	b.client = newClient(s.base, s.key, b.cfg.RequestTimeout)
	return nil
}

func (b *bed) close() error {
	b.client.close()
	if b.server == nil {
		return nil
	}
	return b.server.remove()
}

// memory is nil where the system does not tell.
func (b *bed) memory() *Memory {
	if b.pid == 0 {
		return nil
	}
	m, err := memory(b.pid)
	if err != nil {
		return nil
	}
	return &m
}

// trial is one sink, registered at the server, and the load that goes with it.
type trial struct {
	bed       *bed
	ledger    *ledger
	sink      *sink
	load      *load
	endpoints []registration
}

// openTrial registers an endpoint for each behaviour; the first awaited of them must receive every event. close ends it.
func (r *runner) openTrial(ctx context.Context, b *bed, awaited int, behaviours ...behaviour) (*trial, error) {
	l := newLedger(b.prefix, len(behaviours), awaited)
	s, err := newSink(l, behaviours, r.log)
	if err != nil {
		return nil, err
	}
	t := &trial{bed: b, ledger: l, sink: s, load: newLoad(b.client, l, r.cfg.Payload, r.cfg.Seed)}
	if err := t.register(ctx); err != nil {
		return nil, errors.Join(err, t.close(ctx))
	}
	return t, nil
}

func (t *trial) register(ctx context.Context) error {
	if err := t.bed.client.registerType(ctx); err != nil {
		return err
	}
	for n := range t.sink.endpoints {
		created, err := t.bed.client.createEndpoint(ctx, t.sink.url(n))
		if err != nil {
			return err
		}
		t.endpoints = append(t.endpoints, created)
		verifier, err := webhook.ParseVerifier(created.Secret)
		if err != nil {
			return fmt.Errorf("use secret of endpoint: %w", err)
		}
		t.sink.trust(n, verifier)
	}
	return nil
}

// close ends the sink and, on a server that goes on, deletes its endpoints, also when the context has ended.
func (t *trial) close(ctx context.Context) error {
	var problems []error
	if t.bed.server == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
		defer cancel()
		for _, e := range t.endpoints {
			problems = append(problems, t.bed.client.remove(ctx, "/v1/endpoints/"+e.ID))
		}
	}
	return errors.Join(append(problems, t.sink.close())...)
}

// drain waits until every accepted event has arrived, at most for the given time; what is missing then shows in the ledger. Its
// error is the context's.
func (t *trial) drain(ctx context.Context, limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := t.ledger.wait(limited); err != nil {
		return ctx.Err()
	}
	return nil
}
