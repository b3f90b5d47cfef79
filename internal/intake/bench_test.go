package intake_test

import (
	"fmt"
	"testing"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// BenchmarkReadings takes in batches of 500 readings of a fleet of 2,000 devices at 200 sites, 1 in 100 of them a change, on
// the embedded default with its sync to disk. One operation is one batch.
func BenchmarkReadings(b *testing.B) {
	s := opener(b, "")()
	defer func() { must(b, s.Close()) }()
	const sites, devices = 200, 10
	for i := range sites {
		_, err := s.Once(b.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
			site := busbar.SiteID(fmt.Sprintf("site_%d", i))
			if err := tx.CreateSite(&busbar.Site{ID: site, Environment: busbar.Sandbox, Name: "Home", Timezone: "UTC"}); err != nil {
				return store.Answer{}, err
			}
			for j := range devices {
				d := busbar.Device{
					ID: busbar.DeviceID(fmt.Sprintf("dev_%d", i*devices+j)), Environment: busbar.Sandbox, SiteID: site, Family: busbar.Battery,
					StaleAfter: time.Hour, Driver: busbar.Driver{Kind: busbar.DriverManual}, Connection: busbar.Disconnected,
					Commands: busbar.Battery.Spec().DefaultCommands(),
				}
				if err := tx.CreateDevice(&d); err != nil {
					return store.Answer{}, err
				}
			}
			return store.Answer{}, nil
		})
		must(b, err)
	}
	p := start(b, s, newCluster(), nil)
	defer p.close()
	next, changes := 0, 0
	batch := func() []intake.Reading {
		readings := make([]intake.Reading, 500)
		for i := range readings {
			value := float64(next/(sites*devices)/100%90) + float64(next%100)/10_000
			if next%100 == 0 {
				value += 5 + float64(changes%7)
				changes++
			}
			readings[i] = intake.Reading{DeviceID: busbar.DeviceID(fmt.Sprintf("dev_%d", next%(sites*devices))), State: map[string]any{
				"level": value, "status": "idle", "chargeRate": 0.01, "temperature": 21.0, "currentMode": "auto.balanced",
			}}
			next++
		}
		return readings
	}
	for range 4 {
		_, err := p.Read(b.Context(), busbar.Sandbox, batch())
		must(b, err)
	}
	updated := 0
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		readings := batch()
		b.StartTimer()
		out, err := p.Read(b.Context(), busbar.Sandbox, readings)
		must(b, err)
		for _, o := range out {
			if o.Status == intake.ReadingUpdated {
				updated++
			}
		}
	}
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "readings/s")
	b.ReportMetric(float64(updated)/float64(5*b.N), "%changes")
}

// BenchmarkRules accepts events that 1,000 rules listen to, and none of which lets one fire, beside events without a rule.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{0, 10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			s := opener(b, "")()
			defer func() { must(b, s.Close()) }()
			home(b, s, battery(), charger(), busbar.Device{ID: "dev_meter", Family: busbar.Meter}, busbar.Device{ID: "dev_car", Family: busbar.Vehicle})
			for i := range n {
				rule(b, s, fmt.Sprintf("rule_%d", i), full)
			}
			p := start(b, s, newCluster(), nil)
			defer p.close()
			report := func(i int) {
				out, err := p.Read(b.Context(), busbar.Sandbox, []intake.Reading{
					{DeviceID: "dev_battery", State: map[string]any{"level": 20 + float64(i%600)/10, "status": "idle"}},
				})
				must(b, err)
				if out[0].Status != intake.ReadingUpdated {
					b.Fatalf("%+v", out)
				}
			}
			// The first events set the edges.
			report(0)
			report(1)
			i := 1
			for b.Loop() {
				i++
				report(i)
			}
		})
	}
}
