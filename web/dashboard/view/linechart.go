package view

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// Chart is a number over time, as a line.
type Chart struct {
	Name, Latest, Lowest, Highest string
	// From and To are the times of the first and the last point.
	From, To   time.Time
	line, area string
}

// Size of a small chart, in the units of its view box.
const (
	lineWidth  = 300.0
	lineHeight = 64.0
)

// NewChart lays out points that come newest first. Fewer than two are no line.
func NewChart(field *busbar.Field, points []api.HistoryPoint) (Chart, bool) {
	type point struct {
		at time.Time
		v  float64
	}
	var known []point
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range slices.Backward(points) {
		v, ok := p.Value.(float64)
		if !ok || p.Late {
			continue
		}
		known = append(known, point{time.Time(p.At), v})
		low, high = min(low, v), max(high, v)
	}
	// What never moved is a number, and stands among the others.
	if len(known) < 2 || !known[len(known)-1].at.After(known[0].at) || high-low < field.Resolution() {
		return Chart{}, false
	}
	span := known[len(known)-1].at.Sub(known[0].at).Seconds()
	// A value that hardly moves is a line in the middle, not a mountain range.
	height := max(high-low, 4*field.Resolution(), 1e-9)
	middle := (high + low) / 2
	var line strings.Builder
	for i, p := range known {
		x := p.at.Sub(known[0].at).Seconds() / span * lineWidth
		y := lineHeight/2 - (p.v-middle)/height*(lineHeight-8)
		if i == 0 {
			fmt.Fprintf(&line, "M0 %.1f", y)
			continue
		}
		fmt.Fprintf(&line, "L%.1f %.1f", x, y)
	}
	shown := func(v float64) string { return reading(field, field.Round(v)) }
	return Chart{
		Name: words(field.Name), Latest: shown(known[len(known)-1].v), Lowest: shown(low), Highest: shown(high),
		From: known[0].at, To: known[len(known)-1].at,
		line: line.String(), area: line.String() + fmt.Sprintf("L%.0f %.0fL0 %.0fZ", lineWidth, lineHeight, lineHeight),
	}, true
}
