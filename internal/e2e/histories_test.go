package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"busbar/workflows"
)

// historyDir is where the histories lie that workflows' own test replays.
const historyDir = "../../workflows/testdata/histories"

// Histories of real runs, one for each state that a workflow of ours can be in, replay with the code of now. With
// -write-histories they are kept, for the code that comes later: write them before a workflow is changed.
func TestWriteHistories(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1s,1s")
	keepHistories(t, d, states, "process_event_*", "redeliver_*", "drain_endpoint_*", "resend_*")
}

// keepHistories brings workflows into their states and compares what is kept of them.
func keepHistories(t *testing.T, d *dev, states []state, patterns ...string) {
	t.Helper()
	got := make(map[string]*historypb.History)
	names := make([]string, len(states))
	for i, state := range states {
		id := state.run(t, d)
		h := fetchHistory(t, d.temporalClient(t), id)
		replay(t, state.name, h)
		names[i], got[state.name] = state.name, h
	}
	slices.Sort(names)
	if *writeHistories {
		for _, name := range names {
			writeHistory(t, name, got[name])
		}
	}
	var kept []string
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(historyDir, pattern+".json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			kept = append(kept, strings.TrimSuffix(filepath.Base(path), ".json"))
		}
	}
	slices.Sort(kept)
	if diff := cmp.Diff(names, kept); diff != "" {
		t.Errorf("kept histories, by -write-histories (-of now +kept):\n%s", diff)
	}
}

// fetchHistory reads a whole history, without what tells of the machine it was made on.
func fetchHistory(t *testing.T, c client.Client, workflowID string) *historypb.History {
	t.Helper()
	h := &historypb.History{}
	events := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatalf("read history of %s: %v", workflowID, err)
		}
		anonymise(e.ProtoReflect())
		h.Events = append(h.Events, e)
	}
	return h
}

// anonymise replaces the names of machines and processes in a message and all within.
func anonymise(m protoreflect.Message) {
	if queue, ok := m.Interface().(*taskqueue.TaskQueue); ok && queue.GetKind() == enums.TASK_QUEUE_KIND_STICKY {
		queue.Name = "sticky"
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Name() == "identity" && f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString("busbar"))
		case f.IsMap() || f.IsList() || f.Message() == nil:
		default:
			anonymise(v.Message())
		}
		return true
	})
}

func replay(t *testing.T, name string, h *historypb.History) {
	t.Helper()
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.ProcessEvent, workflow.RegisterOptions{Name: workflows.ProcessEventName})
	replayer.RegisterWorkflowWithOptions(workflows.Redeliver, workflow.RegisterOptions{Name: workflows.RedeliverName})
	replayer.RegisterWorkflowWithOptions(workflows.RunAction, workflow.RegisterOptions{Name: workflows.RunActionName})
	replayer.RegisterWorkflowWithOptions(workflows.DrainEndpoint, workflow.RegisterOptions{Name: workflows.DrainName})
	replayer.RegisterWorkflowWithOptions(workflows.Resend, workflow.RegisterOptions{Name: workflows.ResendName})
	replayer.RegisterWorkflowWithOptions(workflows.RunRule, workflow.RegisterOptions{Name: workflows.RunRuleName})
	replayer.RegisterWorkflowWithOptions(workflows.HoldRule, workflow.RegisterOptions{Name: workflows.HoldRuleName})
	replayer.RegisterWorkflowWithOptions(workflows.WindowRule, workflow.RegisterOptions{Name: workflows.WindowRuleName})
	// The replayer numbers events anew, in place.
	copied, ok := proto.Clone(h).(*historypb.History)
	if !ok {
		t.Fatalf("%s: a clone is %T", name, copied)
	}
	if err := replayer.ReplayWorkflowHistory(log.NewStructuredLogger(testLogger(t)), copied); err != nil {
		t.Errorf("replay %s: %v", name, err)
	}
}

func writeHistory(t *testing.T, name string, h *historypb.History) {
	t.Helper()
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
	if err != nil {
		t.Fatalf("write history %s: %v", name, err)
	}
	if err := os.MkdirAll(historyDir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(historyDir, name+".json"), append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
