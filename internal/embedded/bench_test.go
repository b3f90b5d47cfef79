//go:build !lean

package embedded_test

import (
	"context"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"busbar/internal/temporal"
)

// inFlight is how many workflows BenchmarkWorkflow keeps going at a time.
const inFlight = 32

// BenchmarkWorkflow runs workflows with one local activity, started eagerly, the way of a healthy delivery without our
// own tables. Besides ns/op it reports workflows/s, the CPU time of the whole process for each until the lists have
// caught up, the median and the 99th percentile from start to result, and resident memory at the end.
func BenchmarkWorkflow(b *testing.B) {
	server := start(b, config(b, b.TempDir()))
	defer stop(b, server)
	c := dial(b, server.FrontendAddr())
	defer c.Close()
	worker := startWorker(b, c)
	defer worker.Stop()
	attributes := benchAttributes()
	var mu sync.Mutex
	var took []time.Duration

	slots := make(chan struct{}, inFlight)
	var running sync.WaitGroup
	cpu, begin := cpuTime(b), time.Now()
	for b.Loop() {
		slots <- struct{}{}
		running.Go(func() {
			begin := time.Now()
			run, err := c.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{
				TaskQueue: taskQueue, EnableEagerStart: true, TypedSearchAttributes: attributes,
			}, greet, "world")
			if err == nil {
				err = run.Get(b.Context(), nil)
			}
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			took = append(took, time.Since(begin))
			mu.Unlock()
			<-slots
		})
	}
	running.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "workflows/s")
	awaitCompleted(b, c, int64(b.N))
	b.ReportMetric((cpuTime(b)-cpu).Seconds()*1000/float64(b.N), "CPU-ms/op")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(residentMB(b), "RSS-MB")
}

// BenchmarkStart starts the server on files that exist and reports the memory of a process that holds one idle server.
func BenchmarkStart(b *testing.B) {
	cfg := config(b, b.TempDir())
	stop(b, start(b, cfg))
	for b.Loop() {
		server := start(b, cfg)
		b.StopTimer()
		debug.FreeOSMemory()
		b.ReportMetric(residentMB(b), "RSS-MB")
		stop(b, server)
		b.StartTimer()
	}
}

// awaitCompleted returns when the lists show n completed workflows: the work that a queue put off is work all the same.
func awaitCompleted(b *testing.B, c client.Client, n int64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		count, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Completed'"})
		if err == nil && count.GetCount() == n {
			return
		}
		select {
		case <-ctx.Done():
			b.Fatalf("lists did not catch up: %d of %d, %v", count.GetCount(), n, err)
		case <-ticker.C:
		}
	}
}

func benchAttributes() sdktemporal.SearchAttributes {
	keys := temporal.NewKeys()
	return sdktemporal.NewSearchAttributes(keys.Environment.ValueSet("live"), keys.EventType.ValueSet("device.updated"),
		keys.DeviceID.ValueSet("dev_1"))
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// residentMB reads the resident memory from Linux' process table.
func residentMB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(status))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}
