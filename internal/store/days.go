package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
)

// day is a day of UTC, counted from 1970-01-01. On PostgreSQL events and attempts are kept in a table a day: events by when
// they were received, attempts by when their delivery was made, which its id begins with.
type day int64

const (
	microsADay = 24 * int64(time.Hour/time.Microsecond)
	millisADay = 24 * int64(time.Hour/time.Millisecond)
	// daysAhead are made before they begin, so that nobody who accepts an event has to.
	daysAhead = 2
	// quietDays are how many days ago a day is at least when it is dropped: by then no clock is still in it.
	quietDays = 2
	// dropTimeout bounds the wait for those who still read a day's table. It locks nobody out meanwhile.
	dropTimeout = 10 * time.Second
)

// dayOf is the day of a time in microseconds.
func dayOf(us int64) day { return day(us / microsADay) }

// eventDays are the days of events, each once.
func eventDays(rows []eventRow) []day {
	var days []day
	for i := range rows {
		if d := dayOf(rows[i].ReceivedAt); !slices.Contains(days, d) {
			days = append(days, d)
		}
	}
	return days
}

// attemptDays are the days of the deliveries of attempts, each once.
func attemptDays(rows []attemptRow) ([]day, error) {
	var days []day
	for i := range rows {
		d, err := attemptDay(rows[i].DeliveryID)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(days, d) {
			days = append(days, d)
		}
	}
	return days, nil
}

// attemptDay is the day of a delivery's id: `dlv_` and a UUIDv7, whose first 12 digits are milliseconds.
func attemptDay(deliveryID string) (day, error) {
	digits, ok := strings.CutPrefix(deliveryID, "dlv_")
	if ok && len(digits) == 32 {
		if ms, err := strconv.ParseInt(digits[:12], 16, 64); err == nil {
			return day(ms / millisADay), nil
		}
	}
	return 0, fmt.Errorf("the id of the delivery %q does not begin with a time", deliveryID)
}

// name is how the day's tables end.
func (d day) name() string { return time.Unix(int64(d)*86400, 0).UTC().Format("20060102") }

// parseDay reads the end of a table's name.
func parseDay(name string) (day, error) {
	at, err := time.Parse("20060102", name)
	if err != nil {
		return 0, fmt.Errorf("read the day of a table: %w", err)
	}
	return day(at.Unix() / 86400), nil
}

// knownDays are days whose tables are there.
type knownDays struct {
	mu   sync.Mutex
	days map[day]bool
}

func (k *knownDays) has(d day) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.days[d]
}

func (k *knownDays) add(d day) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.days == nil {
		k.days = make(map[day]bool)
	}
	k.days[d] = true
}

// lack reports whether a row found no table, which PostgreSQL calls a violated check; no table has others. All are looked for
// again then: another process may have dropped a day, and a database that crashed may have lost one that had just been made.
func (k *knownDays) lack(err error) bool {
	if !errors.Is(err, gorm.ErrCheckConstraintViolated) {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.days = nil
	return true
}

// needDays makes the tables of days that are missing. What a transaction makes is not there for others before it has ended, and may
// never be: the next one looks again.
func (s *Store) needDays(tx *gorm.DB, days ...day) error {
	if s.Embedded() {
		return nil
	}
	for _, d := range days {
		if s.days.has(d) {
			continue
		}
		var there bool
		err := tx.Raw("SELECT to_regclass(?) IS NOT NULL AND to_regclass(?) IS NOT NULL", "events_"+d.name(), "attempts_"+d.name()).Scan(&there).Error
		if err != nil {
			return fmt.Errorf("look for the tables of a day: %w", err)
		}
		if there {
			s.days.add(d)
			continue
		}
		if err := tx.Exec("SELECT make_day(?)", int64(d)).Error; err != nil {
			return fmt.Errorf("make the tables of a day: %w", err)
		}
	}
	return nil
}

// MakeDays makes the tables of today and of the next days.
func (s *Store) MakeDays(ctx context.Context) error {
	today := dayOf(micros(s.now()))
	for d := today; d <= today+daysAhead; d++ {
		if s.Embedded() || s.days.has(d) {
			continue
		}
		// A transaction each, so that none has many locks.
		if err := s.write(ctx, s.durable, func(tx *gorm.DB) error { return s.needDays(tx, d) }); err != nil {
			return err
		}
	}
	return nil
}

// daily is a table that is kept in one table a day.
type daily struct {
	name string
	// empty asks whether nothing of a day is left, from its first key to that of the next day.
	empty string
	key   func(day) any
}

// Both go by the primary key, of the day's table alone and of deliveries: the order keeps PostgreSQL from reading along a table that was
// just emptied. Attempts are not deleted with their delivery: nobody finds
// them any more, and they go with their day.
var dailies = []daily{
	{"events", `SELECT NOT EXISTS (SELECT 1 FROM environments n, LATERAL (SELECT 1 FROM events e
		WHERE e.environment = n.environment AND e.received_at >= ? AND e.received_at < ? ORDER BY e.received_at LIMIT 1) AS first)`, func(d day) any { return int64(d) * microsADay }},
	{"attempts", "SELECT NOT EXISTS (SELECT 1 FROM deliveries WHERE id >= ? AND id < ?)", func(d day) any { return fmt.Sprintf("dlv_%012x", int64(d)*millisADay) }},
}

// dropDays drops the tables of days of which nothing is left, and returns how many it dropped.
func (s *Store) dropDays(ctx context.Context) (int, error) {
	if s.Embedded() {
		return 0, nil
	}
	dropped := 0
	for i := range dailies {
		n, err := s.dropDaysOf(ctx, &dailies[i])
		dropped += n
		if err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// dayTable is the table of a day. One that is no part any more, or is about to be none, was left by a drop that was cut short.
type dayTable struct {
	Name     string
	Part     bool
	Detached bool
}

func (s *Store) dropDaysOf(ctx context.Context, t *daily) (int, error) {
	var tables []dayTable
	err := s.read.WithContext(ctx).Raw(`SELECT c.relname AS name, c.relispartition AS part, COALESCE(i.inhdetachpending, FALSE) AS detached
		FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
		WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(?)) AND c.relkind = 'r' AND c.relname ~ ?
		ORDER BY detached DESC, name`, t.name, "^"+t.name+"_[0-9]{8}$").Scan(&tables).Error
	if err != nil {
		return 0, fmt.Errorf("list the tables of days: %w", translate(err))
	}
	dropped := 0
	for _, table := range tables {
		d, err := parseDay(strings.TrimPrefix(table.Name, t.name+"_"))
		if err != nil {
			return dropped, err
		}
		if d > dayOf(micros(s.now()))-quietDays {
			continue
		}
		var empty bool
		if err := s.read.WithContext(ctx).Raw(t.empty, t.key(d), t.key(d+1)).Scan(&empty).Error; err != nil {
			return dropped, fmt.Errorf("look for what is left of a day: %w", translate(err))
		}
		if !empty {
			continue
		}
		if err := s.dropDay(ctx, t, table); err != nil {
			return dropped, err
		}
		dropped++
	}
	return dropped, nil
}

// dropDay takes a table out of the whole without locking anybody out of that, and drops it. Names come from the catalogue and are
// letters, digits and an underscore.
func (s *Store) dropDay(ctx context.Context, t *daily, table dayTable) error {
	waiting, cancel := context.WithTimeout(ctx, dropTimeout)
	defer cancel()
	var steps []string
	switch {
	case table.Detached:
		steps = append(steps, "ALTER TABLE "+t.name+" DETACH PARTITION "+table.Name+" FINALIZE")
	case table.Part:
		steps = append(steps, "ALTER TABLE "+t.name+" DETACH PARTITION "+table.Name+" CONCURRENTLY")
	}
	for _, step := range append(steps, "DROP TABLE IF EXISTS "+table.Name) {
		err := s.relaxed.WithContext(waiting).Exec(step).Error
		if err != nil && waiting.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("drop %s: a transaction that reads %s has been open for more than %s; end it, or wait for it: %w", table.Name, t.name, dropTimeout, err)
		}
		if err != nil {
			return fmt.Errorf("drop %s: %w", table.Name, translate(err))
		}
	}
	return nil
}
