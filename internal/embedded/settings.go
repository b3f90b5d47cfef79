//go:build !lean

package embedded

import (
	"time"

	"go.temporal.io/server/common/dynamicconfig"
)

// unlimited is above any rate that one machine can reach: the server's limits protect a shared cluster, not a process
// from itself.
const unlimited = 1_000_000

// workers is how many tasks of one kind a queue works on at a time; all wait for one database connection anyway.
const workers = 16

// cachedWorkflows bounds the mutable states in memory; the default of 128,000 would grow to gigabytes.
const cachedWorkflows = 1_024

// settings are the server's dynamic configuration, tuned for one process on one machine.
func settings() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// One poller set and one backlog per queue. With the default four partitions a task waits for the right one: p99 at
		// 20 events/s fell from 326 to 51 ms.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		// Keys of one queue take turns, so that one endpoint's backlog does not hold up the others.
		dynamicconfig.MatchingEnableFairness.Key(): true,
		// Without it a server crash cut the wait between two attempts short in 5 of 6 runs, with it in none.
		dynamicconfig.EnableActivityRetryStampIncrement.Key(): true,
		// The first workflow task comes back with the start when the worker is in this process.
		dynamicconfig.EnableEagerWorkflowStart.Key(): true,

		// Memory. Closed workflows leave the cache after five minutes instead of an hour.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): cachedWorkflows,
		dynamicconfig.HistoryCacheTTL.Key():              5 * time.Minute,
		dynamicconfig.HistoryCacheBackgroundEvict.Key(): dynamicconfig.CacheBackgroundEvictSettings{
			Enabled: true, LoopInterval: time.Minute, MaxEntryPerCall: cachedWorkflows,
		},
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():               workers,
		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():                  workers,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key():             workers,
		dynamicconfig.MemoryTimerProcessorSchedulerWorkerCount.Key():            workers,
		dynamicconfig.ArchivalProcessorSchedulerWorkerCount.Key():               1,
		dynamicconfig.ReplicationProcessorSchedulerWorkerCount.Key():            1,
		dynamicconfig.ReplicationLowPriorityProcessorSchedulerWorkerCount.Key(): 1,
		dynamicconfig.PersistenceHealthSignalMetricsEnabled.Key():               false,
		dynamicconfig.PersistenceHealthSignalAggregationEnabled.Key():           false,

		// The server's own workflows: two scanners look for what a cluster of many machines may leave behind.
		dynamicconfig.TaskQueueScannerEnabled.Key():                           false,
		dynamicconfig.HistoryScannerEnabled.Key():                             false,
		dynamicconfig.WorkerParentCloseMaxConcurrentActivityTaskPollers.Key(): 2,
		dynamicconfig.WorkerParentCloseMaxConcurrentWorkflowTaskPollers.Key(): 2,

		dynamicconfig.FrontendRPS.Key():                                  unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           unlimited,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.HistoryRPS.Key():                                   unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     unlimited,
		dynamicconfig.MatchingRPS.Key():                                  unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                    unlimited,

		// Nothing calls home.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
		// A busy small machine is not a deadlock; no stack dumps in the log.
		dynamicconfig.DeadlockDumpGoroutines.Key(): false,
	}
}
