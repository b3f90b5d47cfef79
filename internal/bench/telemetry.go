package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// The fleet of Telemetry: ten batteries a site.
const (
	devicesPerSite = 10
	readingsBatch  = 500
	// Of so many readings of a device one is a change.
	readingsPerChange = 100
	batchesInFlight   = 4
	fleetBuilders     = 8
)

// TelemetryResult is what a fleet's readings cost.
type TelemetryResult struct {
	Devices  int `json:"devices"`
	Readings int `json:"readings"`
	// Updated became events, Unchanged told nothing new, Refused were answered with an error.
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Refused   int `json:"refused"`
	// ReadingsPerSecond is from the first batch sent to the last answered.
	ReadingsPerSecond float64 `json:"readingsPerSecond"`
	// Batch is from sending a batch to its answer, when it is stored.
	Batch *Latency `json:"batch,omitempty"`
	// ServerCPU is processor milliseconds of the server for 1,000 readings.
	ServerCPU *float64 `json:"serverCpuMsPer1000Readings,omitempty"`
}

// fleet is registered devices that report in turn.
type fleet struct {
	bed     *bed
	devices []string

	mu      sync.Mutex
	next    int
	result  TelemetryResult
	batches []time.Duration
	failed  error
}

// telemetry has a fleet report in batches, as fast as the server takes them.
func (r *runner) telemetry(ctx context.Context, b *bed, result *Result) (err error) {
	result.Load = fmt.Sprintf("%d devices report in batches of %d, %d batches in flight, for %s, 1 reading in %d is a change",
		r.cfg.Devices, readingsBatch, batchesInFlight, r.cfg.Duration, readingsPerChange)
	f := &fleet{bed: b}
	defer func() { err = errors.Join(err, f.tidy(ctx)) }()
	if err := f.build(ctx, r.cfg.Devices); err != nil {
		return err
	}
	// The first reading of each device is a change.
	for f.next < len(f.devices) {
		if err := f.report(ctx); err != nil {
			return err
		}
	}
	f.result, f.batches = TelemetryResult{Devices: len(f.devices)}, nil
	before, began := b.spent(), time.Now()
	stop, cancel := context.WithTimeout(ctx, r.cfg.Duration)
	defer cancel()
	f.run(ctx, stop)
	f.result.ReadingsPerSecond = float64(f.result.Readings) / time.Since(began).Seconds()
	f.result.ServerCPU = per(b.spent().since(before).server, float64(f.result.Readings)/1000)
	f.result.Batch = summarize(f.batches)
	result.Telemetry, result.Memory = &f.result, b.memory()
	return errors.Join(f.failed, ctx.Err())
}

// run reports until stop ends; batches that are under way then are awaited.
func (f *fleet) run(ctx, stop context.Context) {
	var senders sync.WaitGroup
	for range batchesInFlight {
		senders.Go(func() {
			for stop.Err() == nil {
				if err := f.report(ctx); err != nil {
					f.mu.Lock()
					f.failed = errors.Join(f.failed, err)
					f.mu.Unlock()
					return
				}
			}
		})
	}
	senders.Wait()
}

// build registers sites with devices.
func (f *fleet) build(ctx context.Context, devices int) error {
	sites := make(chan int)
	var builders sync.WaitGroup
	for range fleetBuilders {
		builders.Go(func() {
			for site := range sites {
				made, err := f.site(ctx, site, min(devicesPerSite, devices-site*devicesPerSite))
				f.mu.Lock()
				f.devices = append(f.devices, made...)
				f.failed = errors.Join(f.failed, err)
				f.mu.Unlock()
			}
		})
	}
	for site := range (devices + devicesPerSite - 1) / devicesPerSite {
		sites <- site
	}
	close(sites)
	builders.Wait()
	return f.failed
}

func (f *fleet) site(ctx context.Context, n, devices int) ([]string, error) {
	site := fmt.Sprintf("%ssite_%d", f.bed.prefix, n)
	if err := f.bed.client.put(ctx, "/v1/sites", map[string]any{"id": site, "name": "busbar bench", "timezone": "Europe/Berlin"}); err != nil {
		return nil, err
	}
	var made []string
	for i := range devices {
		id := fmt.Sprintf("%sdev_%d", f.bed.prefix, n*devicesPerSite+i)
		err := f.bed.client.put(ctx, "/v1/devices", map[string]any{
			"id": id, "siteId": site, "type": "battery", "driver": map[string]string{"kind": "manual"},
		})
		if err != nil {
			return made, err
		}
		made = append(made, id)
	}
	return made, nil
}

type reading struct {
	DeviceID string         `json:"deviceId"`
	State    map[string]any `json:"state"`
}

// batch gives the next readings: each device in turn, at every hundredth of them with another level. In between values
// move by less than what is announced.
func (f *fleet) batch() []reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	readings := make([]reading, min(readingsBatch, len(f.devices)))
	for i := range readings {
		device, round := f.next%len(f.devices), f.next/len(f.devices)
		change := (round + device) / readingsPerChange
		readings[i] = reading{f.devices[device], map[string]any{
			"level": float64(change%100) + float64(round%40)/1000, "status": "charging", "chargeRate": 2.5, "temperature": 21.5,
			"currentMode": "auto.balanced",
		}}
		f.next++
	}
	return readings
}

func (f *fleet) report(ctx context.Context) error {
	readings := f.batch()
	began := time.Now()
	a, err := f.bed.client.send(ctx, http.MethodPost, "/v1/devices/state", map[string]any{"readings": readings})
	if err != nil {
		return fmt.Errorf("report readings: %w", err)
	}
	took := time.Since(began)
	var items []struct {
		Status string `json:"status"`
	}
	if a.status != http.StatusAccepted {
		return fmt.Errorf("report readings: %w", a.err())
	}
	if err := json.Unmarshal(a.Data, &items); err != nil || len(items) != len(readings) {
		return errors.New("report readings: the answer has not one item a reading")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, took)
	f.result.Readings += len(items)
	for _, item := range items {
		switch item.Status {
		case "updated":
			f.result.Updated++
		case "unchanged":
			f.result.Unchanged++
		default:
			f.result.Refused++
		}
	}
	return nil
}

// tidy deletes the fleet on a server that goes on, also when the context has ended.
func (f *fleet) tidy(ctx context.Context) error {
	if f.bed.server != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.bed.cfg.Drain)
	defer cancel()
	var problems []error
	for _, id := range f.devices {
		problems = append(problems, f.bed.client.remove(ctx, "/v1/devices/"+id))
	}
	for site := 0; site*devicesPerSite < len(f.devices); site++ {
		problems = append(problems, f.bed.client.remove(ctx, fmt.Sprintf("/v1/sites/%ssite_%d", f.bed.prefix, site)))
	}
	return errors.Join(problems...)
}
