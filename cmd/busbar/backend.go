package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"busbar"
	"busbar/activities"
	"busbar/internal/batch"
	"busbar/internal/dispatch"
	"busbar/internal/driver"
	"busbar/internal/intake"
	"busbar/internal/listener"
	"busbar/internal/metrics"
	"busbar/internal/runlist"
	"busbar/internal/store"
	"busbar/internal/webhook"
	"busbar/workflows"
)

// backendConfig says what a backend works with.
type backendConfig struct {
	store     *store.Store
	client    client.Client
	namespace string
	delivery  deliveryFlags
	allow     string
	worker    bool
	logger    *slog.Logger
	// simulateSpeed is zero when there is no simulated home.
	simulateSpeed float64
}

// backend is all of the program behind its HTTP surface: intake, starter, worker, reconciler.
type backend struct {
	cfg        backendConfig
	guard      *webhook.Guard
	sender     *webhook.Client
	drivers    *driver.Drivers
	starter    *intake.Starter
	launcher   *intake.Launcher[intake.Launch]
	intake     *intake.Intake
	dispatcher *dispatch.Dispatcher
	listeners  *listener.Exchange
	recorder   *batch.Batcher[*store.Finished]
	worker     worker.Worker
	flights    *activities.Flights
	registry   *prometheus.Registry
	metrics    *metrics.Metrics
	readiness  *readiness

	ruleLauncher *intake.Launcher[intake.RuleLaunch]

	// endFeeds ends the answers of the HTTP surface that would not end by themselves.
	endFeeds func()

	cancel, endAnnouncing context.CancelFunc
	background            sync.WaitGroup
}

// Sizes of one process. Each slot is memory; two cores are busy long before they are all taken.
const (
	starterWorkers = 32
	// Commands to devices are few beside events.
	launcherWorkers = 8
	activitySlots   = 256
	slowSlots       = activitySlots / 2
	localSlots      = 256
	workflowSlots   = 64
	pollers         = 4
	stickyTimeout   = 3 * time.Second
	// The worker waits for this long three times: for workflow tasks, for local and for regular activities.
	workerStopTime = 2 * time.Second
	handoffMax     = 5000
	handoffBytes   = 64 << 20
	recordBatch    = 64
)

// newBackend wires everything and starts it. On an error nothing is left running.
func newBackend(ctx context.Context, cfg backendConfig) (_ *backend, err error) {
	b := &backend{cfg: cfg, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	schedule, err := cfg.delivery.schedule()
	if err != nil {
		return nil, err
	}
	if t := cfg.delivery.DeliveryTimeout; t < busbar.MinDeliveryTimeout || t > busbar.MaxDeliveryTimeout {
		return nil, fmt.Errorf("--delivery-timeout: %s is not between %s and %s", t, busbar.MinDeliveryTimeout, busbar.MaxDeliveryTimeout)
	}
	if b.guard, err = newGuard(cfg.allow); err != nil {
		return nil, err
	}
	b.sender, err = webhook.NewClient(webhook.ClientConfig{Guard: b.guard, Version: version, Timeout: cfg.delivery.DeliveryTimeout})
	if err != nil {
		return nil, err
	}
	if b.drivers, err = b.newDrivers(); err != nil {
		return nil, err
	}
	health, err := webhook.NewHealth(webhook.HealthConfig{})
	if err != nil {
		return nil, err
	}
	cfg.store.SetCare(store.CarePolicy{DisableAfter: cfg.delivery.DisableAfter, TellAfter: schedule.Total()})
	eager := cfg.worker
	b.dispatcher = dispatch.New(cfg.client, cfg.namespace, cfg.store, eager)
	b.listeners, err = listener.New(listener.Config{Store: cfg.store, Retrier: b.dispatcher, Now: time.Now, Logger: cfg.logger})
	if err != nil {
		return nil, err
	}
	b.starter = intake.NewStarter(intake.StarterConfig{
		Store: cfg.store, Start: b.dispatcher.StartEvent, Workers: starterWorkers, Now: time.Now, Logger: cfg.logger,
	})
	b.launcher = intake.NewLauncher(intake.LauncherConfig[intake.Launch]{
		Noted: intake.ActionLaunches(cfg.store), Launch: b.dispatcher.LaunchAction, Workers: launcherWorkers, Now: time.Now, Logger: cfg.logger,
	})
	b.ruleLauncher = intake.NewLauncher(intake.LauncherConfig[intake.RuleLaunch]{
		Noted: intake.RuleLaunches(cfg.store), Launch: b.dispatcher.LaunchRule, Workers: launcherWorkers, Now: time.Now, Logger: cfg.logger,
	})
	if err := b.registry.Register(collectors.NewGoCollector()); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if b.metrics, err = metrics.New(b.registry, queues{b.starter}); err != nil {
		return nil, err
	}
	// Only an embedded database is known to have this process as its one worker.
	handoff := intake.NewHandoff(handoffMax, handoffBytes)
	in := intake.Config{
		Store: cfg.store, Starter: b.starter, Launcher: b.launcher, Rules: b.ruleLauncher,
		Quick:       func(id busbar.EndpointID) bool { return health.Quick(string(id)) },
		AttemptTime: cfg.delivery.DeliveryTimeout + activities.ClaimMargin,
		Lanes:       4, Now: time.Now, Logger: cfg.logger, Observer: b.metrics,
	}
	if cfg.store.Embedded() {
		in.Lanes = 1
		if cfg.worker {
			in.Handoff = handoff
		}
	}
	if cfg.simulateSpeed > 0 {
		in.Clock = simulatedClock(cfg.simulateSpeed)
	}
	if b.intake, err = intake.New(in); err != nil {
		return nil, err
	}
	b.recorder = batch.New(batch.Config[*store.Finished]{
		Max: recordBatch, Lanes: in.Lanes, Run: cfg.store.Finish,
		Alone: func(err error) bool { return busbar.CodeOf(err) != busbar.CodeUnavailable },
	})
	if err := b.startWorker(schedule, health, handoff); err != nil {
		return nil, err
	}
	if err := b.dispatcher.EnsureSchedules(ctx); err != nil {
		return nil, err
	}
	if err := b.startBackground(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *backend) startWorker(schedule webhook.Schedule, health *webhook.Health, handoff *intake.Handoff) error {
	if !b.cfg.worker {
		return nil
	}
	gate, err := webhook.NewGate(webhook.GateConfig{})
	if err != nil {
		return err
	}
	b.flights = activities.NewFlights()
	acts, err := activities.New(activities.Config{
		Deliveries: b.cfg.store, Sources: b.cfg.store, Recorder: b.recorder, Sender: b.listeners.Sender(b.sender), Prepared: handoff,
		Observer: b.metrics, Purger: b.cfg.store, Circuits: b.cfg.store, Jobs: b.cfg.store, Director: b.dispatcher, Retention: b.cfg.delivery.Retention, Flights: b.flights, Gate: gate, Health: health, SlowSlots: slowSlots, Schedule: schedule, Jitter: b.cfg.delivery.RetryJitter,
		Random: rand.Float64, Timeout: b.cfg.delivery.DeliveryTimeout, Patience: activities.DefaultPatience, Now: time.Now, Logger: b.cfg.logger,
	})
	if err != nil {
		return err
	}
	w := worker.New(b.cfg.client, workflows.TaskQueue, worker.Options{
		MaxConcurrentActivityExecutionSize:      activitySlots,
		MaxConcurrentLocalActivityExecutionSize: localSlots,
		MaxConcurrentWorkflowTaskExecutionSize:  workflowSlots,
		MaxConcurrentActivityTaskPollers:        pollers,
		MaxConcurrentWorkflowTaskPollers:        pollers,
		StickyScheduleToStartTimeout:            stickyTimeout,
		WorkerStopTimeout:                       workerStopTime,
	})
	workflows.Register(w, acts)
	commands, err := b.commands()
	if err != nil {
		return err
	}
	workflows.RegisterCommands(w, commands)
	automation, err := activities.NewRules(activities.RulesConfig{Automation: b.intake, Logger: b.cfg.logger})
	if err != nil {
		return err
	}
	workflows.RegisterRules(w, automation)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	b.worker = w
	return nil
}

func (b *backend) startBackground(ctx context.Context) error {
	puller, err := b.newPuller()
	if err != nil {
		return err
	}
	ctx, b.cancel = context.WithCancel(ctx)
	b.readiness = newReadiness(b.cfg.client, b.starter)
	b.background.Go(func() { b.readiness.run(ctx) })
	b.background.Go(func() { b.listeners.Run(ctx) })
	if !b.cfg.worker {
		return nil
	}
	reconciler := dispatch.NewReconciler(b.dispatcher, time.Now, b.cfg.logger)
	b.background.Go(func() { reconciler.Run(ctx) })
	actions := dispatch.NewActionReconciler(b.dispatcher, b.intake, time.Now, b.cfg.logger)
	b.background.Go(func() { actions.Run(ctx) })
	automation := dispatch.NewRuleReconciler(b.dispatcher, b.intake, time.Now, b.cfg.logger)
	b.background.Go(func() { automation.Run(ctx) })
	watch := intake.NewWatch(b.intake, b.cfg.store, b.cfg.logger)
	b.background.Go(func() { watch.Run(ctx) })
	lister := runlist.New(b.cfg.store, time.Now, b.cfg.logger)
	b.background.Go(func() { lister.Run(ctx) })
	announcer := intake.NewAnnouncer(b.intake, b.cfg.store, b.cfg.logger)
	announcing, end := context.WithCancel(ctx)
	b.endAnnouncing = end
	b.background.Go(func() { announcer.Run(announcing) })
	// It ends with the announcer, before the intake that both feed.
	b.background.Go(func() { puller.Run(announcing) })
	return nil
}

// Close ends everything in the order in which work flows, so that what was begun can finish. The HTTP surface must be
// closed before.
func (b *backend) Close() {
	if b.endAnnouncing != nil {
		b.endAnnouncing()
	}
	// Each waits a little for a Temporal that does not answer.
	var starting sync.WaitGroup
	if b.starter != nil {
		starting.Go(b.starter.Close)
	}
	if b.launcher != nil {
		starting.Go(b.launcher.Close)
	}
	if b.ruleLauncher != nil {
		starting.Go(b.ruleLauncher.Close)
	}
	starting.Wait()
	// What it carries out is put on record through the intake.
	if b.worker != nil {
		b.worker.Stop()
	}
	if b.flights != nil {
		b.flights.Close()
	}
	if b.cancel != nil {
		b.cancel()
	}
	b.background.Wait()
	if b.intake != nil {
		b.intake.Close()
	}
	if b.recorder != nil {
		b.recorder.Close()
	}
	if b.sender != nil {
		b.sender.Close()
	}
}

func newGuard(allow string) (*webhook.Guard, error) {
	prefixes, err := webhook.ParseAllow(allow)
	if err != nil {
		return nil, fmt.Errorf("--allow-cidrs: %w", err)
	}
	guard, err := webhook.NewGuard(webhook.GuardConfig{Allow: prefixes})
	if err != nil {
		return nil, fmt.Errorf("--allow-cidrs: %w", err)
	}
	return guard, nil
}

// queues shows the starter's backlog to the metrics.
type queues struct{ starter *intake.Starter }

func (q queues) Unstarted() (int, time.Duration) {
	b := q.starter.Backlog()
	if b.Count == 0 {
		return 0, 0
	}
	return b.Count, time.Since(b.Oldest)
}
