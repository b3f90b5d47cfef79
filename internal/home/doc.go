// Package home simulates the energy of a house: sun, battery, car, heat pump and grid, tick by tick on a clock of its own.
//
// It is pure: no network, no real clock, and the same seed and commands give the same home. At every tick energy is
// conserved: what the roof and the grid give is what the house uses, stores and loses; Flow has the terms.
package home

import "time"

// Tick is the time step of the simulation. Powers are constant within it.
const Tick = 30 * time.Second

// tickHours turns kW into kWh.
const tickHours = float64(Tick) / float64(time.Hour)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)
