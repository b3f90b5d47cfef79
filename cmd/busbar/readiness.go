package main

import (
	"context"
	"sync/atomic"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"busbar/internal/intake"
	"busbar/web"
	"busbar/workflows"
)

// readiness knows whether workers poll. It asks often until the first one does, and then every few seconds.
type readiness struct {
	client  client.Client
	starter *intake.Starter
	polling atomic.Bool
	polled  atomic.Bool
}

const (
	askUntilReady = 50 * time.Millisecond
	askWhenReady  = 5 * time.Second
	askTimeout    = 2 * time.Second
)

func newReadiness(c client.Client, s *intake.Starter) *readiness {
	return &readiness{client: c, starter: s}
}

func (r *readiness) run(ctx context.Context) {
	for ctx.Err() == nil {
		polling := r.ask(ctx)
		r.polling.Store(polling)
		wait := askUntilReady
		if polling {
			r.polled.Store(true)
		}
		if r.polled.Load() {
			wait = askWhenReady
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (r *readiness) ask(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	d, err := r.client.DescribeTaskQueue(ctx, workflows.TaskQueue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	return err == nil && len(d.GetPollers()) > 0
}

// wait returns when the process can serve: when a worker of its own polls, or at once when it has none.
func (r *readiness) wait(ctx context.Context, ownWorker bool) {
	for ownWorker && !r.polled.Load() && ctx.Err() == nil {
		select {
		case <-time.After(askUntilReady / 5):
		case <-ctx.Done():
		}
	}
}

// ready says how well events are served.
func (b *backend) ready(context.Context) web.Readiness {
	return web.Readiness{
		Accepting:      b.starter.Accepting() == nil,
		WorkersPolling: b.readiness.polling.Load(),
		Backlog:        int64(b.starter.Backlog().Count),
	}
}
