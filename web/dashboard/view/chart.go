package view

import (
	"fmt"
	"time"

	"busbar"
)

// Size of the chart of a day, in the units of its view box.
const (
	chartWidth  = 720.0
	chartHeight = 170.0
	chartLeft   = 40.0
	chartBottom = 22.0
)

// rect is a piece of a chart.
type rect struct {
	x, y, w, h float64
	class      string
}

// bar is one hour of the chart.
type bar struct {
	title string
	label string
	x     float64
	// odd: the label is left out where there is little room.
	odd    bool
	pieces []rect
}

// gridLine is a line of equal count.
type gridLine struct {
	y     float64
	label string
}

type barChart struct {
	bars []bar
	grid []gridLine
}

// chart lays out the bars of a day.
func (d *Day) chart() barChart {
	most := 0
	for _, c := range d.Hours {
		most = max(most, c.Total())
	}
	top := niceTop(most)
	height := chartHeight - chartBottom - 8
	var out barChart
	for _, share := range []float64{0, 0.5, 1} {
		value := float64(top) * share
		if value != float64(int(value)) {
			continue
		}
		out.grid = append(out.grid, gridLine{8 + height*(1-share), Count(int(value))})
	}
	step := (chartWidth - chartLeft) / float64(len(d.Hours))
	for i, c := range d.Hours {
		at := d.First.Add(time.Duration(i) * time.Hour)
		b := bar{x: chartLeft + step*float64(i) + step/2, title: at.Format("15:04") + " UTC: " + inWords(c)}
		if i%4 == 0 {
			b.label, b.odd = at.Format("15:04"), i%8 != 0
		}
		y := 8 + height
		for _, status := range Statuses() {
			n := c[status]
			if n <= 0 {
				continue
			}
			h := max(1.5, height*float64(n)/float64(top))
			y -= h
			b.pieces = append(b.pieces, rect{b.x - step*0.34, y, step * 0.68, h, "c-" + string(status)})
		}
		out.bars = append(out.bars, b)
	}
	return out
}

func inWords(c Counts) string {
	text := ""
	for _, status := range Statuses() {
		if n := c[status]; n > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%s %s", Count(n), status)
		}
	}
	if text == "" {
		return "none"
	}
	return text
}

// niceTop is a round number that is not below another.
func niceTop(n int) int {
	for size := 1; ; size *= 10 {
		for _, m := range []int{2, 4, 6, 10} {
			if m*size >= n {
				return m * size
			}
		}
	}
}

const (
	sparkWidth  = 120.0
	sparkHeight = 28.0
)

// spark lays out the bars of an endpoint's day: what was delivered, and on top of it what has failed.
func spark(hours []Counts) []rect {
	most := 1
	for _, c := range hours {
		most = max(most, c.Total())
	}
	step := sparkWidth / float64(len(hours))
	var out []rect
	for i, c := range hours {
		y := sparkHeight - 1
		good := c.Total() - c[busbar.DeliveryFailed] - c[busbar.DeliveryParked]
		for _, piece := range []struct {
			n     int
			class string
		}{{good, "ok"}, {c[busbar.DeliveryFailed] + c[busbar.DeliveryParked], "ko"}} {
			if piece.n <= 0 {
				continue
			}
			h := max(2, (sparkHeight-2)*float64(piece.n)/float64(most))
			y -= h
			out = append(out, rect{step*float64(i) + 0.5, y, step - 1, h, piece.class})
		}
	}
	return out
}

func num(f float64) string { return fmt.Sprintf("%.4g", f) }
