package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// WriteJSON writes the report as one indented JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// WriteText writes the report as text for people, figures in columns.
func (r Report) WriteText(w io.Writer) error {
	parts := []string{r.head()}
	for _, result := range r.Results {
		parts = append(parts, result.text())
	}
	parts = append(parts, r.foot())
	if _, err := io.WriteString(w, strings.Join(parts, "")); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// lines collects rows of a name and a text.
type lines struct{ strings.Builder }

func (l *lines) row(name, format string, args ...any) {
	fmt.Fprintf(l, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
}

func (r Report) head() string {
	var l lines
	fmt.Fprintf(&l, "busbar bench, %s\n", r.Started.UTC().Format(time.DateTime+" UTC"))
	l.row("command", "%s", r.Command)
	l.row("machine", "%s", r.Machine.text())
	return l.String()
}

func (r Report) foot() string {
	var l lines
	for _, s := range r.Skipped {
		fmt.Fprintf(&l, "\n%s: left out, it %s\n", s.Scenario, s.Reason)
	}
	if r.Interrupted {
		l.WriteString("\nInterrupted: the figures are of what was done until then.\n")
	}
	return l.String()
}

func (m Machine) text() string {
	parts := []string{plural(m.Cores, "core")}
	for _, part := range []string{m.Processor, strings.TrimSpace(m.System + " " + m.Kernel), m.Go} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if m.FileSystem != "" {
		parts = append(parts, "data on "+m.FileSystem)
	}
	if m.Load != "" {
		parts = append(parts, "load average "+m.Load)
	}
	return strings.Join(parts, ", ")
}

func (r Result) text() string {
	var l lines
	fmt.Fprintf(&l, "\n%s: %s\n", r.Scenario, r.title())
	if r.Events > 0 {
		l.row("events", "%d posted, %d accepted%s", r.Events, r.Accepted, errorText(r.Errors))
		l.row("deliveries", "%s", r.deliveryText())
	}
	l.latencies(r.Ingest, r.EndToEnd, r.Late)
	if r.EventsPerSecond != nil && r.DeliveriesPerSecond != nil {
		l.row("throughput", "%.1f events/s, %.1f deliveries/s", *r.EventsPerSecond, *r.DeliveriesPerSecond)
	}
	l.details(r)
	if r.ServerCPU != nil {
		l.row("server", "%.2f CPU ms per event", *r.ServerCPU)
	}
	if r.LoadCPU != nil {
		l.row("load, sink", "%.2f CPU ms per event", *r.LoadCPU)
	}
	if r.Memory != nil && r.Idle == nil && r.Pending == nil && r.Growth == nil { // those show it themselves
		l.row("memory", "%s", r.Memory.text())
	}
	return l.String()
}

func (r Result) title() string {
	if r.Endpoints == 0 {
		return r.Load
	}
	return fmt.Sprintf("%s, %s, %s of data", r.Load, plural(r.Endpoints, "endpoint"), Size(r.Payload))
}

func (r Result) deliveryText() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d, %d lost, %d repeated, %d badly signed", r.Deliveries, r.Losses, r.Repeats, r.BadSignatures)
	for _, extra := range []struct {
		n    int
		what string
	}{{r.Unconfirmed, "unconfirmed"}, {r.Malformed, "malformed"}, {r.Strays, "not ours"}} {
		if extra.n > 0 {
			fmt.Fprintf(&text, ", %d %s", extra.n, extra.what)
		}
	}
	return text.String()
}

func (l *lines) latencies(ingest, endToEnd, late *Latency) {
	if ingest == nil && endToEnd == nil {
		return
	}
	fmt.Fprintf(l, "  %-12s %9s %9s %9s %9s\n", "latency, ms", "p50", "p95", "p99", "max")
	for _, row := range []struct {
		name    string
		latency *Latency
	}{{"ingest", ingest}, {"end to end", endToEnd}, {"sent late", late}} {
		if v := row.latency; v != nil {
			fmt.Fprintf(l, "    %-10s %9.2f %9.2f %9.2f %9.2f\n", row.name, v.P50, v.P95, v.P99, v.Max)
		}
	}
}

func (l *lines) details(r Result) {
	if h := r.Hanging; h != nil {
		l.row("hanging", "%d webhooks reached the endpoint that holds each for %s", h.Received, duration(h.HoldMs))
	}
	if c := r.Crash; c != nil {
		l.row("killed", "%s unanswered, %s outstanding", plural(c.Unanswered, "post"), plural(c.Backlog, "webhook"))
		l.row("back", "ready after %s, then first delivery %s, last %s", duration(c.Ready), optional(c.First), optional(c.Last))
	}
	if i := r.Idle; i != nil {
		if i.Ready != nil {
			l.row("ready", "after %s", duration(*i.Ready))
		}
		l.row("at start", "%s", i.AtStart.text())
		l.row("after "+duration(i.QuietMs), "%s", i.AfterQuiet.text())
		if i.CPU != nil {
			l.row("quiet", "%.1f CPU ms per second", *i.CPU)
		}
	}
	if p := r.Pending; p != nil {
		l.row("pending", "%d events attempted, %d attempts refused", p.Attempted, p.Attempts)
		l.row("before", "%s", p.Before.text())
		l.row("after "+duration(p.QuietMs), "%s", p.After.text())
	}
	if t := r.Telemetry; t != nil {
		l.row("readings", "%d, %d updated, %d unchanged, %d refused", t.Readings, t.Updated, t.Unchanged, t.Refused)
		l.row("throughput", "%.0f readings/s", t.ReadingsPerSecond)
		if t.Batch != nil {
			l.row("batch", "p50 %.1f, p95 %.1f, p99 %.1f ms", t.Batch.P50, t.Batch.P95, t.Batch.P99)
		}
		if t.ServerCPU != nil {
			l.row("server", "%.1f CPU ms per 1,000 readings", *t.ServerCPU)
		}
	}
	l.endpointCare(r)
	for _, g := range r.Growth {
		fmt.Fprintf(l, "  at %d stored events, %d more:\n", g.Stored, g.Probe)
		l.latencies(g.Ingest, g.EndToEnd, nil)
		if g.ServerCPU != nil {
			l.row("server", "%.2f CPU ms per event", *g.ServerCPU)
		}
		if g.Memory != nil {
			l.row("memory", "%s", g.Memory.text())
		}
	}
}

func (l *lines) endpointCare(r Result) {
	if p := r.Parked; p != nil {
		l.row("down", "%d attempts refused, circuit %s", p.Refused, p.Circuit)
		l.row("before", "%s", p.Before.text())
		l.row("after "+duration(p.QuietMs), "%s: %+.1f MiB", p.After.text(), float64(p.After.Current-p.Before.Current)/float64(MiB))
		l.row("back", "first delivery %s, last %s", optional(p.First), optional(p.Last))
		l.row("order", "at most %s early of %d that may be in flight, %d beyond", plural(p.MostEarly, "place"), p.MaxInFlight, p.OutOfOrder)
	}
	if c := r.Care; c != nil {
		l.row("failing", "%s, %d attempts answered 500", plural(c.Failing, "endpoint"), c.FailingAttempts)
		l.row("hanging", "%s, %d attempts held for %s", plural(c.Hanging, "endpoint"), c.HangingAttempts, duration(c.HoldMs))
		verdict := "missed"
		if c.Kept {
			verdict = "kept"
		}
		l.row("aim", "everything in time, p99 at most %s: %s", duration(c.AimMs), verdict)
	}
}

func (m Memory) text() string {
	return fmt.Sprintf("%.1f MiB, peak %.1f MiB", float64(m.Current)/float64(MiB), float64(m.Peak)/float64(MiB))
}

func errorText(counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	parts := make([]string, 0, len(counts))
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[code], code))
	}
	return ", " + strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func duration(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond).String()
}

func optional(ms *float64) string {
	if ms == nil {
		return "never"
	}
	return "after " + duration(*ms)
}
