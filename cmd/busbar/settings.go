package main

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"busbar"
	"busbar/internal/temporal"
	"busbar/web"
)

// durableProcess is the value of --durability that gives up what a loss of power would take.
const durableProcess = "process"

// settings is what the dashboard shows of how this process was started. Nothing in it is secret.
func (cfg *processConfig) settings() []web.Settings {
	d := &cfg.delivery
	limit, allowed, jitter := "no limit", "none", ""
	if cfg.rateLimit > 0 {
		limit = strconv.FormatFloat(cfg.rateLimit, 'f', -1, 64) + " a second"
	}
	if cfg.allow != "" {
		allowed = cfg.allow
	}
	if d.RetryJitter > 0 {
		jitter = fmt.Sprintf(", ±%.0f %%", d.RetryJitter*100)
	}
	return []web.Settings{
		{Title: "What is kept", List: []web.Setting{
			{Name: "Events, deliveries and runs", Value: kept(d.Retention), Variable: "BUSBAR_RETENTION", Doc: "Ids of events are recognised for as long."},
			{Name: "Workflows in Temporal", Value: web.Span(temporal.Retention), Doc: "After they have ended."},
			{Name: "Idempotency keys", Value: web.Span(busbar.IdempotencyWindow)},
			{Name: "Sessions", Value: web.Span(busbar.SessionTime), Doc: "After their last use."},
			{Name: "Audit log", Value: web.Span(busbar.AuditTime)},
		}},
		{Title: "Limits", List: []web.Setting{
			{Name: "Waits between tries", Value: d.RetrySchedule + jitter, Variable: "BUSBAR_RETRY_SCHEDULE"},
			{Name: "Time for one try", Value: web.Span(d.DeliveryTimeout), Variable: "BUSBAR_DELIVERY_TIMEOUT", Doc: "An endpoint may have its own."},
			{Name: "A failing endpoint is disabled", Value: "after " + web.Span(d.DisableAfter), Variable: "BUSBAR_DISABLE_AFTER"},
			{Name: "Requests of one API key", Value: limit, Variable: "BUSBAR_RATE_LIMIT"},
			{Name: "Private networks that are allowed", Value: allowed, Variable: "BUSBAR_ALLOW_CIDRS"},
		}},
		{Title: "Where it runs", List: append(cfg.storage(),
			web.Setting{Name: "Temporal", Value: cfg.temporal.TemporalAddr + ", namespace " + cfg.temporal.TemporalNamespace, Variable: "BUSBAR_TEMPORAL_ADDR"},
			web.Setting{Name: "What Temporal stores", Value: choose(cfg.temporal.EncryptPayloads, "encrypted", "not encrypted"), Variable: "BUSBAR_ENCRYPT_PAYLOADS"},
			web.Setting{Name: "Workers", Value: choose(cfg.worker, "in this process, too", "elsewhere"), Variable: "BUSBAR_WORKER"},
			web.Setting{Name: "Built with", Value: runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH},
			web.Setting{Name: "Started", Value: time.Now().UTC().Format("2006-01-02 15:04:05") + " UTC"},
		)},
	}
}

// kept says how long history is kept, by environment where that makes a difference.
func kept(r busbar.Retention) string {
	sandbox, live := web.Span(r.Of(busbar.Sandbox)), web.Span(r.Of(busbar.Live))
	if sandbox == live {
		return sandbox
	}
	return sandbox + " in " + string(busbar.Sandbox) + ", " + live + " in " + string(busbar.Live)
}

// storage is where rows are, and what they survive.
func (cfg *processConfig) storage() []web.Setting {
	if !cfg.store.Embedded() {
		return []web.Setting{{Name: "Database", Value: "PostgreSQL", Variable: "BUSBAR_DATABASE_URL", Doc: "What it survives is up to its synchronous_commit."}}
	}
	return []web.Setting{
		{Name: "Database", Value: "SQLite in " + cfg.data, Variable: "BUSBAR_DATA"},
		{
			Name: "Durability", Value: choose(cfg.durability == durableProcess, "survives a crash", "survives a power cut"), Variable: "BUSBAR_DURABILITY",
			Doc: "What was accepted with 202.",
		},
	}
}

func choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}
