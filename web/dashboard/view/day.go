package view

import (
	"time"

	"busbar"
)

// Statuses are those of a delivery in the order in which charts stack them.
func Statuses() []busbar.DeliveryStatus {
	return []busbar.DeliveryStatus{
		busbar.DeliveryDelivered, busbar.DeliveryPending, busbar.DeliveryParked, busbar.DeliveryFailed, busbar.DeliveryCancelled,
	}
}

// Counts are deliveries by status.
type Counts map[busbar.DeliveryStatus]int

// Total is all of them.
func (c Counts) Total() int {
	n := 0
	for _, count := range c {
		n += count
	}
	return n
}

// Settled is how many have come to an end that says something about their endpoint.
func (c Counts) Settled() int { return c[busbar.DeliveryDelivered] + c[busbar.DeliveryFailed] }

// Day is the deliveries of the last hours, by the hour in which they were made.
type Day struct {
	First  time.Time
	Hours  []Counts
	Total  Counts
	Events int
	// Counting: it is being counted, and these are older counts, or none.
	Counting bool
	// Counted: there are counts. Without them, nothing is known of the day.
	Counted bool
	// each is by endpoint.
	each map[busbar.EndpointID][]Counts
}

// NewDay is an empty one.
func NewDay(first time.Time, hours int) *Day {
	d := &Day{First: first, Hours: make([]Counts, hours), Total: Counts{}, each: make(map[busbar.EndpointID][]Counts)}
	for i := range d.Hours {
		d.Hours[i] = Counts{}
	}
	return d
}

// Add counts deliveries of an hour. What lies outside of the day is left out.
func (d *Day) Add(endpoint busbar.EndpointID, hour time.Time, status busbar.DeliveryStatus, n int) {
	i := int(hour.Sub(d.First) / time.Hour)
	if i < 0 || i >= len(d.Hours) || hour.Before(d.First) {
		return
	}
	d.Hours[i][status] += n
	d.Total[status] += n
	of := d.each[endpoint]
	if of == nil {
		of = make([]Counts, len(d.Hours))
		for j := range of {
			of[j] = Counts{}
		}
		d.each[endpoint] = of
	}
	of[i][status] += n
}

// Of are the hours of one endpoint, nil when there was nothing.
func (d *Day) Of(endpoint busbar.EndpointID) []Counts { return d.each[endpoint] }

// text is a number of the day, or that it is not known yet.
func (d *Day) text(n int) string {
	if !d.Counted {
		return "…"
	}
	return Count(n)
}

// inWords are the counts of the day by status.
func (d *Day) inWords() string {
	if !d.Counted {
		return "being counted"
	}
	return inWords(d.Total)
}

// Sum is all of some hours.
func Sum(hours []Counts) Counts {
	sum := Counts{}
	for _, c := range hours {
		for status, n := range c {
			sum[status] += n
		}
	}
	return sum
}
