package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// healthRow is a row of endpoint_health.
type healthRow struct {
	EndpointID   string `gorm:"column:endpoint_id;primaryKey"`
	Environment  string `gorm:"column:environment"`
	Circuit      string `gorm:"column:circuit"`
	CircuitSince int64  `gorm:"column:circuit_since"`
	ProbeAt      int64  `gorm:"column:probe_at"`
	ProbeWait    int64  `gorm:"column:probe_wait"`
	Recent       string `gorm:"column:recent"`
	FailingSince int64  `gorm:"column:failing_since"`
	Failures     int    `gorm:"column:failures"`
	LastError    string `gorm:"column:last_error"`
	ToldAt       int64  `gorm:"column:told_at"`
}

// TableName names the table for gorm.
func (healthRow) TableName() string { return "endpoint_health" }

func (r *healthRow) circuit() (busbar.Circuit, error) {
	state, err := busbar.ParseCircuitState(r.Circuit)
	if err != nil {
		return busbar.Circuit{}, fmt.Errorf("read circuit of %s: %w", r.EndpointID, err)
	}
	c := busbar.Circuit{
		State: state, Since: fromMicros(r.CircuitSince), FailingSince: fromMicros(r.FailingSince), Failures: r.Failures,
	}
	// One that was open has been tried.
	c.Crowded = state == busbar.CircuitHalfOpen && r.ProbeAt == 0
	if state == busbar.CircuitOpen {
		c.ProbeAt = fromMicros(r.ProbeAt)
	}
	return c, nil
}

// clean reports whether a success changes nothing.
func (r *healthRow) clean() bool { return r.Recent == "" && r.FailingSince == 0 && r.ToldAt == 0 }

// The window of a circuit: it opens when at least half of the last attempts have failed, of at least so many, and at so
// many deliveries. One delivery that fails again and again says nothing about the others.
const (
	windowSize     = 20
	windowLeast    = 10
	windowDistinct = 5
)

// remember adds an attempt to the window.
func (r *healthRow) remember(ok bool, id string) {
	window := strings.Fields(r.Recent)
	if ok {
		window = append(window, "+")
	} else {
		window = append(window, "-"+id[max(0, len(id)-8):])
	}
	window = window[max(0, len(window)-windowSize):]
	if !slices.ContainsFunc(window, failedMark) {
		window = nil
	}
	r.Recent = strings.Join(window, " ")
}

func failedMark(mark string) bool { return mark != "+" }

// tripped reports whether the window says that the circuit should be open.
func (r *healthRow) tripped() bool {
	window := strings.Fields(r.Recent)
	distinct := make(map[string]bool)
	failed := 0
	for _, mark := range window {
		if failedMark(mark) {
			failed++
			distinct[mark] = true
		}
	}
	return len(window) >= windowLeast && 2*failed >= len(window) && len(distinct) >= windowDistinct
}

// CarePolicy says when people are told of an endpoint that fails, and when it is given up.
type CarePolicy struct {
	// DisableAfter is how long an endpoint may fail without a success before it is disabled; zero is for ever.
	DisableAfter time.Duration
	// TellAfter is how long the retry schedule lasts: an endpoint whose circuit is open for longer would have exhausted a
	// delivery by now. Zero is for ever.
	TellAfter time.Duration
}

// SetCare says how endpoints are looked after. Call it before attempts are recorded.
func (s *Store) SetCare(p CarePolicy) { s.care = p }

// recorded is a delivery that an attempt has moved on.
type recorded struct {
	ID          string
	EndpointID  string
	Environment string
	EventID     string
	EventType   string
	Single      bool
	Status      string
	// Attempts and LastStatusCode are read only of what fails without an attempt.
	Attempts       int
	LastStatusCode int
	finished       *Finished
}

// trip is a change of an endpoint that an attempt has called for. It needs a transaction of its own, because it has to
// keep decisions out.
type trip struct {
	env    busbar.Environment
	id     busbar.EndpointID
	reason string
	// disable: the endpoint failed for too long; otherwise its circuit opens.
	disable bool
	// quiet: the attempt was that of an operational event, which never causes another.
	quiet bool
}

// watch counts attempts for the health of their endpoints and notes what people are to be told. It returns what has to
// change with the endpoints.
func (s *Store) watch(tx *gorm.DB, all []recorded) ([]trip, error) {
	byEndpoint := make(map[string][]recorded)
	for _, r := range all {
		if !r.Single {
			byEndpoint[r.EndpointID] = append(byEndpoint[r.EndpointID], r)
		}
	}
	ids := make([]string, 0, len(byEndpoint))
	for id := range byEndpoint {
		ids = append(ids, id)
	}
	// One order for all, so that two transactions never wait for each other.
	slices.Sort(ids)
	known, err := readHealth(tx, ids)
	if err != nil {
		return nil, err
	}
	var trips []trip
	for _, id := range ids {
		attempts := byEndpoint[id]
		row, ok := known[id]
		if (!ok || row.clean()) && !slices.ContainsFunc(attempts, func(r recorded) bool { return !r.finished.ok() }) {
			continue
		}
		if row, ok, err = s.lockHealth(tx, attempts[0].Environment, id); err != nil {
			return nil, err
		}
		if !ok {
			continue // the endpoint was deleted
		}
		t, err := s.watchOne(tx, &row, attempts)
		if err != nil {
			return nil, err
		}
		trips = append(trips, t...)
		if err := tx.Save(&row).Error; err != nil {
			return nil, fmt.Errorf("save health of %s: %w", id, err)
		}
	}
	return trips, nil
}

func readHealth(tx *gorm.DB, ids []string) (map[string]healthRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []healthRow
	if err := tx.Where("endpoint_id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read health of endpoints: %w", err)
	}
	known := make(map[string]healthRow, len(rows))
	for _, r := range rows {
		known[r.EndpointID] = r
	}
	return known, nil
}

// lockHealth gives the row of an endpoint, made if there is none yet; it reports false when the endpoint is gone.
func (s *Store) lockHealth(tx *gorm.DB, env, id string) (healthRow, bool, error) {
	err := tx.Exec(`INSERT INTO endpoint_health (endpoint_id, environment)
		SELECT id, environment FROM endpoints WHERE id = ? AND environment = ? ON CONFLICT DO NOTHING`, id, env).Error
	if err != nil {
		return healthRow{}, false, fmt.Errorf("begin health of %s: %w", id, err)
	}
	var rows []healthRow
	if err := s.forUpdate(tx).Where("endpoint_id = ?", id).Find(&rows).Error; err != nil {
		return healthRow{}, false, fmt.Errorf("lock health of %s: %w", id, err)
	}
	if len(rows) == 0 {
		return healthRow{}, false, nil
	}
	return rows[0], true, nil
}

// watchOne counts the attempts at one endpoint in the order in which they were made.
func (s *Store) watchOne(tx *gorm.DB, row *healthRow, attempts []recorded) ([]trip, error) {
	slices.SortStableFunc(attempts, func(a, b recorded) int {
		return cmp.Compare(a.finished.Attempt.At.UnixMicro(), b.finished.Attempt.At.UnixMicro())
	})
	var trips []trip
	for i := range attempts {
		r := &attempts[i]
		row.remember(r.finished.ok(), r.ID)
		if r.finished.ok() {
			if err := s.watchSuccess(tx, row, r); err != nil {
				return nil, err
			}
			continue
		}
		disable, err := s.watchFailure(tx, row, r)
		if err != nil {
			return nil, err
		}
		t := trip{busbar.Environment(row.Environment), busbar.EndpointID(row.EndpointID), row.LastError, disable, r.operational()}
		if disable || row.Circuit == string(busbar.CircuitClosed) && row.tripped() {
			trips = append(trips, t)
		}
	}
	return trips[max(0, len(trips)-1):], nil
}

func (r *recorded) operational() bool { return busbar.Operational(r.EventType) }

// watchSuccess ends an episode of failures, and takes back what people were told.
func (s *Store) watchSuccess(tx *gorm.DB, row *healthRow, r *recorded) error {
	told := row.ToldAt
	row.FailingSince, row.Failures, row.LastError, row.ToldAt = 0, 0, "", 0
	if told == 0 || r.operational() {
		return nil
	}
	return s.noteEndpoint(tx, row, busbar.TypeEndpointRecovered, told, fromMicros(told), answerOf(&r.finished.Attempt))
}

// watchFailure goes on with an episode of failures. It reports whether that has lasted too long.
func (s *Store) watchFailure(tx *gorm.DB, row *healthRow, r *recorded) (disable bool, err error) {
	a := &r.finished.Attempt
	if row.FailingSince == 0 {
		row.FailingSince = micros(a.At)
	}
	row.Failures++
	row.LastError = a.Error
	failing := a.At.Sub(fromMicros(row.FailingSince))
	disable = s.care.DisableAfter > 0 && failing >= s.care.DisableAfter
	if r.operational() {
		return disable, nil
	}
	exhausted := r.finished.Exhausted && r.Status == string(busbar.DeliveryFailed)
	if exhausted {
		if err := s.noteExhausted(tx, r, a.Number, a.StatusCode); err != nil {
			return false, err
		}
	}
	lasting := s.care.TellAfter > 0 && failing >= s.care.TellAfter
	if row.ToldAt > 0 || !exhausted && !lasting {
		return disable, nil
	}
	row.ToldAt = micros(a.At)
	return disable, s.noteEndpoint(tx, row, busbar.TypeEndpointFailing, row.FailingSince, fromMicros(row.FailingSince), a.Error)
}

// answerOf says in a few words how an attempt went.
func answerOf(a *busbar.Attempt) string {
	if a.StatusCode == 0 {
		return a.Error
	}
	return fmt.Sprintf("HTTP %d", a.StatusCode)
}
