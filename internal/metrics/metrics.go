// Package metrics holds what Busbar counts of itself, in Prometheus' form. No label holds an id or a secret.
package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"busbar"
	"busbar/rules"
)

// Metrics are the counters. It is safe for concurrent use.
type Metrics struct {
	events         *prometheus.CounterVec
	readings       *prometheus.CounterVec
	decisions      *prometheus.CounterVec
	actions        *prometheus.CounterVec
	attempts       *prometheus.CounterVec
	deliveries     *prometheus.CounterVec
	attemptSeconds prometheus.Histogram
	startToFirst   prometheus.Histogram
}

// QueueAges tells how long the oldest of each queue has waited.
type QueueAges interface {
	// Unstarted is the number of accepted events whose workflow has not been seen to start, and the age of the oldest.
	Unstarted() (count int, age time.Duration)
}

// New registers the counters.
func New(reg prometheus.Registerer, queues QueueAges) (*Metrics, error) {
	// From a webhook on the same machine to a receiver that uses up its time.
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "busbar_events_total", Help: "Events that were offered, by what became of them.",
		}, []string{"environment", "status"}),
		readings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "busbar_readings_total", Help: "Readings of devices, by what became of them.",
		}, []string{"environment", "status"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "busbar_rule_decisions_total", Help: "Runs of rules, by decision.",
		}, []string{"environment", "decision"}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "busbar_actions_total", Help: "Actions that came to an end, by status.",
		}, []string{"environment", "status"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "busbar_attempts_total", Help: "Delivery attempts, by error class; ok for a success.",
		}, []string{"environment", "result"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "busbar_deliveries_total", Help: "Deliveries that came to an end, by status.",
		}, []string{"environment", "status"}),
		attemptSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "busbar_attempt_seconds", Help: "Duration of delivery attempts.", Buckets: seconds,
		}),
		startToFirst: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "busbar_accept_to_first_attempt_seconds", Help: "Time from accepting an event to a delivery's first attempt.",
			Buckets: seconds,
		}),
	}
	unstarted := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "busbar_unstarted_events", Help: "Accepted events whose workflow has not been seen to start.",
	}, func() float64 { n, _ := queues.Unstarted(); return float64(n) })
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "busbar_unstarted_events_oldest_seconds", Help: "How long the oldest of them has waited.",
	}, func() float64 { _, d := queues.Unstarted(); return d.Seconds() })
	for _, c := range []prometheus.Collector{m.events, m.readings, m.decisions, m.actions, m.attempts, m.deliveries, m.attemptSeconds, m.startToFirst, unstarted, age} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// Event counts one offered event.
func (m *Metrics) Event(env busbar.Environment, status busbar.IngestStatus) {
	m.events.WithLabelValues(string(env), string(status)).Inc()
}

// Refused counts one event that was refused.
func (m *Metrics) Refused(env busbar.Environment) {
	m.events.WithLabelValues(string(env), "refused").Inc()
}

// Reading counts one reading of a device.
func (m *Metrics) Reading(env busbar.Environment, status string) {
	m.readings.WithLabelValues(string(env), status).Inc()
}

// Decision counts one run of a rule.
func (m *Metrics) Decision(env busbar.Environment, d rules.Decision) {
	m.decisions.WithLabelValues(string(env), string(d)).Inc()
}

// Action counts one action that came to an end.
func (m *Metrics) Action(env busbar.Environment, s busbar.ActionState) {
	m.actions.WithLabelValues(string(env), string(s)).Inc()
}

// Attempt counts one attempt; class is empty for a success.
func (m *Metrics) Attempt(env busbar.Environment, class string, took time.Duration) {
	if class == "" {
		class = "ok"
	}
	m.attempts.WithLabelValues(string(env), class).Inc()
	m.attemptSeconds.Observe(took.Seconds())
}

// FirstAttempt observes how long a delivery waited for its first attempt.
func (m *Metrics) FirstAttempt(waited time.Duration) { m.startToFirst.Observe(waited.Seconds()) }

// Delivery counts one delivery that came to an end.
func (m *Metrics) Delivery(env busbar.Environment, status busbar.DeliveryStatus) {
	m.deliveries.WithLabelValues(string(env), string(status)).Inc()
}
