package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// latencyBounds are the upper ends, in milliseconds, of the buckets in which latencies are counted. What is slower counts
// in the last: no attempt takes much longer.
var latencyBounds = []int64{
	1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130, 200, 300, 500, 800, 1300, 2000, 3000, 5000, 8000, 13_000, 20_000, 30_000, 60_000,
}

// Columns of endpoint_hours that count the kinds of answers.
const (
	answered2xx = iota
	answered3xx
	answered4xx
	answered5xx
	answeredNone
	answeredOK
	answerKinds
)

var answerColumns = [answerKinds]string{"status_2xx", "status_3xx", "status_4xx", "status_5xx", "no_response", "succeeded"}

func latencyColumn(bound int64) string { return fmt.Sprintf("ms_%d", bound) }

// hourCounts is what the attempts of an hour came to: the kinds of answers, then the latencies.
type hourCounts []int64

func newHourCounts() hourCounts { return make(hourCounts, int(answerKinds)+len(latencyBounds)) }

func hourColumns() []string {
	columns := slices.Clone(answerColumns[:])
	for _, b := range latencyBounds {
		columns = append(columns, latencyColumn(b))
	}
	return columns
}

func (c hourCounts) add(f *Finished) {
	switch code := f.Attempt.StatusCode; {
	case code == 0:
		c[answeredNone]++
	case code < 300:
		c[answered2xx]++
	case code < 400:
		c[answered3xx]++
	case code < 500:
		c[answered4xx]++
	default:
		c[answered5xx]++
	}
	if f.ok() {
		c[answeredOK]++
	}
	// Rounded up: the bound of a bucket belongs to it.
	ms := (f.Attempt.Duration + time.Millisecond - 1).Milliseconds()
	i, _ := slices.BinarySearch(latencyBounds, ms)
	c[int(answerKinds)+min(i, len(latencyBounds)-1)]++
}

type hourKey struct {
	endpoint string
	hour     int64
}

// rollUp counts attempts for their endpoints by the hour. Test sends do not count.
func (s *Store) rollUp(tx *gorm.DB, all []recorded) error {
	hours := make(map[hourKey]hourCounts)
	for _, r := range all {
		if r.Single {
			continue
		}
		key := hourKey{r.EndpointID, micros(r.finished.Attempt.At.Truncate(time.Hour))}
		if hours[key] == nil {
			hours[key] = newHourCounts()
		}
		hours[key].add(r.finished)
	}
	if len(hours) == 0 {
		return nil
	}
	keys := make([]hourKey, 0, len(hours))
	for k := range hours {
		keys = append(keys, k)
	}
	// One order for all, so that two transactions never wait for each other.
	slices.SortFunc(keys, func(a, b hourKey) int {
		return cmp.Or(cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.hour, b.hour))
	})
	columns, used := usedColumns(hours)
	values := make([]any, 0, len(keys)*(len(columns)+2))
	for _, k := range keys {
		values = append(values, k.endpoint, k.hour)
		for _, i := range used {
			values = append(values, hours[k][i])
		}
	}
	if err := tx.Exec(rollUpSQL(columns, len(keys)), values...).Error; err != nil {
		return fmt.Errorf("roll attempts up: %w", err)
	}
	return nil
}

// usedColumns are the columns that any of the counts changes, with their places. Most attempts are alike: a fifth of the columns
// is written at a time.
func usedColumns(hours map[hourKey]hourCounts) (names []string, used []int) {
	for i, name := range hourColumns() {
		for _, counts := range hours {
			if counts[i] > 0 {
				names, used = append(names, name), append(used, i)
				break
			}
		}
	}
	return names, used
}

func rollUpSQL(columns []string, rows int) string {
	row := "(?, ?" + strings.Repeat(", ?", len(columns)) + ")"
	sums := make([]string, len(columns))
	for i, c := range columns {
		sums[i] = c + " = endpoint_hours." + c + " + excluded." + c
	}
	return `INSERT INTO endpoint_hours (endpoint_id, hour, ` + strings.Join(columns, ", ") + `) VALUES ` +
		strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ") +
		` ON CONFLICT (endpoint_id, hour) DO UPDATE SET ` + strings.Join(sums, ", ")
}
