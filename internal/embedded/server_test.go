//go:build !lean

package embedded_test

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"busbar/internal/embedded"
	"busbar/internal/temporal"
)

// TestServer walks one server through its life: starting one takes half a second, so its checks share it.
func TestServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a path with ? and %41")
	cfg := config(t, dir)
	cfg.UIAddr = "127.0.0.1:0"
	server := start(t, cfg)
	beside := start(t, config(t, t.TempDir()))

	c := dial(t, server.FrontendAddr())
	if err := temporal.Prepare(t.Context(), c, namespace); err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	worker := startWorker(t, c)
	runWorkflows(t, c)
	checkLists(t, c)
	checkReset(t, c)
	checkUI(t, server.UIURL())
	checkRefusals(t, cfg, server)
	checkRunsBeside(t, beside)

	worker.Stop()
	c.Close()
	stop(t, beside)
	stop(t, server)

	server = start(t, cfg)
	c = dial(t, server.FrontendAddr())
	var greeting string
	if err := c.GetWorkflow(t.Context(), "greet-1", "").Get(t.Context(), &greeting); err != nil || greeting != "hello world" {
		t.Errorf("result after restart: got %q, %v", greeting, err)
	}
	checkFinishes(t, c)
	c.Close()
	stop(t, server)

	checkPlans(t, cfg.DataDir)
	checkOtherVersion(t, cfg)
}

func runWorkflows(t *testing.T, c client.Client) {
	t.Helper()
	keys := temporal.NewKeys()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "greet-1", TaskQueue: taskQueue, EnableEagerStart: true,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(
			keys.Environment.ValueSet("sandbox"), keys.EventType.ValueSet("device.updated"),
			keys.DeviceID.ValueSet("dev_1"), keys.RuleID.ValueSet("rule_1")),
	}, greet, "world")
	if err != nil {
		t.Fatal(err)
	}
	var greeting string
	if err := run.Get(t.Context(), &greeting); err != nil || greeting != "hello world" {
		t.Fatalf("workflow result: got %q, %v", greeting, err)
	}
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "wait-1", TaskQueue: taskQueue,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(keys.Environment.ValueSet("live")),
	}, wait, "ep_down")
	if err != nil {
		t.Fatal(err)
	}
}

// checkReset has an activity that waits an hour for its next try run at once: what "retry now" relies on.
func checkReset(t *testing.T, c client.Client) {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "retry-1", TaskQueue: taskQueue}, retry)
	if err != nil {
		t.Fatal(err)
	}
	activityID := awaitRetry(t, c, "retry-1")
	_, err = c.WorkflowService().ResetActivity(t.Context(), &workflowservice.ResetActivityRequest{
		Namespace: namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: "retry-1"},
		Activity:  &workflowservice.ResetActivityRequest_Id{Id: activityID},
	})
	if err != nil {
		t.Fatalf("ResetActivity: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var calls int32
	if err := run.Get(ctx, &calls); err != nil || calls != 2 {
		t.Errorf("workflow whose activity was reset: %d calls, %v", calls, err)
	}
}

// awaitRetry returns the id of the workflow's activity once its first try has failed.
func awaitRetry(t *testing.T, c client.Client, workflowID string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		described, err := c.DescribeWorkflowExecution(ctx, workflowID, "")
		if err == nil && len(described.GetPendingActivities()) == 1 {
			if pending := described.GetPendingActivities()[0]; pending.GetLastFailure() != nil {
				return pending.GetActivityId()
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("activity of %s did not fail: %v", workflowID, err)
		case <-ticker.C:
		}
	}
}

// checkLists asks what an operator asks; each query must find its workflow and no other.
func checkLists(t *testing.T, c client.Client) {
	t.Helper()
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"", []string{"greet-1", "wait-1"}},
		{"WorkflowId = 'greet-1'", []string{"greet-1"}},
		{"WorkflowId STARTS_WITH 'wait'", []string{"wait-1"}},
		{"WorkflowType = 'Wait'", []string{"wait-1"}},
		{"ExecutionStatus = 'Completed'", []string{"greet-1"}},
		{"ExecutionStatus = 'Running'", []string{"wait-1"}},
		{"StartTime > '2020-01-01T00:00:00Z'", []string{"greet-1", "wait-1"}},
		{"StartTime < '2020-01-01T00:00:00Z'", nil},
		{"BusbarEnvironment = 'sandbox'", []string{"greet-1"}},
		{"EventType = 'device.updated'", []string{"greet-1"}},
		{"DeviceId = 'dev_1'", []string{"greet-1"}},
		{"DeviceId IS NULL", []string{"wait-1"}},
		{"RuleId = 'rule_1'", []string{"greet-1"}},
		{temporal.FailingQuery("ep_down"), []string{"wait-1"}},
		{temporal.FailingQuery("ep_other"), []string{"wait-1"}},
		{temporal.FailingQuery("ep_up"), nil},
	} {
		awaitList(t, c, test.query, test.want)
	}
	count, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: "GROUP BY ExecutionStatus"})
	if err != nil || count.GetCount() != 2 {
		t.Errorf("count by status: got %v, %v", count, err)
	}
}

// awaitList asks until the answer is right: lists follow the workflows by some milliseconds.
func awaitList(t *testing.T, c client.Client, query string, want []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		var got []string
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err == nil {
			for _, execution := range list.GetExecutions() {
				got = append(got, execution.GetExecution().GetWorkflowId())
			}
			slices.Sort(got)
		}
		diff := cmp.Diff(want, got)
		if err == nil && diff == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("list %q: %v (-want +got)\n%s", query, err, diff)
			return
		case <-ticker.C:
		}
	}
}

func checkUI(t *testing.T, base string) {
	t.Helper()
	for _, test := range []struct {
		path, host string
		status     int
		body       string
	}{
		{"/", "", http.StatusOK, "<html"},
		{"/api/v1/namespaces/default/workflows?query=DeviceId%3D%22dev_1%22", "", http.StatusOK, "greet-1"},
		{"/api/v1/namespaces/default", "evil.example", http.StatusMisdirectedRequest, "unknown host"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+test.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = test.host
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != test.status || !bytes.Contains(body, []byte(test.body)) {
			t.Errorf("GET %s (host %q): got %d %.200s", test.path, test.host, response.StatusCode, body)
		}
	}
}

// checkRefusals starts what must not start while server runs on cfg.
func checkRefusals(t *testing.T, cfg embedded.Config, server *embedded.Server) {
	t.Helper()
	elsewhere := func(change func(*embedded.Config)) embedded.Config {
		other := config(t, t.TempDir())
		change(&other)
		return other
	}
	uiAddr := strings.TrimPrefix(server.UIURL(), "http://")
	for name, test := range map[string]struct {
		cfg  embedded.Config
		want string
	}{
		"same directory":     {cfg, "in use by another process"},
		"frontend taken":     {elsewhere(func(c *embedded.Config) { c.FrontendAddr = server.FrontendAddr() }), "address already in use"},
		"UI port taken":      {elsewhere(func(c *embedded.Config) { c.UIAddr = uiAddr }), "address already in use"},
		"no namespace":       {elsewhere(func(c *embedded.Config) { c.Namespace = "" }), "namespace is empty"},
		"no directory":       {elsewhere(func(c *embedded.Config) { c.DataDir = "" }), "data directory is empty"},
		"no port":            {elsewhere(func(c *embedded.Config) { c.FrontendAddr = "127.0.0.1" }), "frontend address"},
		"bad synchronous":    {elsewhere(func(c *embedded.Config) { c.Synchronous = "off" }), "NORMAL or FULL"},
		"bad PostgreSQL URL": {elsewhere(func(c *embedded.Config) { c.PostgresDSN = "mysql://x" }), "want postgres://"},
	} {
		started, err := embedded.Start(t.Context(), test.cfg)
		if err == nil {
			stop(t, started)
			t.Errorf("%s: started", name)
			continue
		}
		if message := err.Error(); !strings.Contains(message, test.want) || strings.Contains(message, "\n") {
			t.Errorf("%s: got %q, want one line with %q", name, message, test.want)
		}
	}
}

func checkRunsBeside(t *testing.T, server *embedded.Server) {
	t.Helper()
	if server.UIURL() != "" {
		t.Errorf("UI is off but has the URL %s", server.UIURL())
	}
	if host, _, err := net.SplitHostPort(server.FrontendAddr()); err != nil || host != "127.0.0.1" {
		t.Errorf("frontend address: got %s, %v", server.FrontendAddr(), err)
	}
	c := dial(t, server.FrontendAddr())
	defer c.Close()
	worker := startWorker(t, c)
	defer worker.Stop()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, greet, "neighbour")
	if err != nil {
		t.Fatal(err)
	}
	var greeting string
	if err := run.Get(t.Context(), &greeting); err != nil || greeting != "hello neighbour" {
		t.Errorf("workflow beside: got %q, %v", greeting, err)
	}
	awaitList(t, c, "DeviceId = 'dev_1'", nil)
}

// checkFinishes ends the workflow that was waiting before the restart.
func checkFinishes(t *testing.T, c client.Client) {
	t.Helper()
	worker := startWorker(t, c)
	defer worker.Stop()
	if err := c.SignalWorkflow(t.Context(), "wait-1", "", "go", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.GetWorkflow(t.Context(), "wait-1", "").Get(t.Context(), nil); err != nil {
		t.Errorf("workflow that waited over the restart: %v", err)
	}
	// Its row was updated at the end: the full-text index must not find the old one.
	awaitList(t, c, temporal.FailingQuery("ep_down"), nil)
	awaitList(t, c, "FailingEndpointIds = 'ep_down'", []string{"wait-1"})
}

// checkPlans asks SQLite which index serves each of the filters that must stay quick.
func checkPlans(t *testing.T, dir string) {
	t.Helper()
	path := &url.URL{Path: filepath.Join(dir, "temporal", "visibility.db")}
	db, err := sql.Open("sqlite", "file:"+path.EscapedPath()+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for filter, index := range map[string]string{
		"":                            "default_idx",
		" AND workflow_id = ?":        "by_workflow_id",
		" AND workflow_type_name = ?": "by_workflow_type",
		" AND status = ?":             "by_status",
		" AND Keyword02 = ?":          "by_keyword_02",
		" AND Keyword03 = ?":          "by_device_id",
		" AND Keyword04 = ?":          "by_rule_id",
		" AND parent_workflow_id = ?": "by_parent",
	} {
		var id, parent, unused int
		var plan string
		err := db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN SELECT run_id FROM executions_visibility "+
			"WHERE namespace_id = ? AND TemporalNamespaceDivision IS NULL"+filter+
			" ORDER BY COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id LIMIT 20",
			"n", "v").Scan(&id, &parent, &unused, &plan)
		if err != nil {
			t.Fatalf("explain %q: %v", filter, err)
		}
		if !strings.Contains(plan, "USING INDEX "+index+" ") {
			t.Errorf("filter %q: plan is %q, want index %s", filter, plan, index)
		}
	}
}

func checkOtherVersion(t *testing.T, cfg embedded.Config) {
	t.Helper()
	stamp := filepath.Join(cfg.DataDir, "temporal", "version")
	if err := os.WriteFile(stamp, []byte("1.20.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := embedded.Start(t.Context(), cfg)
	if err == nil {
		stop(t, server)
		t.Fatal("started on files of another version")
	}
	for _, want := range []string{"written by Temporal server 1.20.0", "busbar serve"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func TestKilledServerContinues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	process, addr := startChild(t, dir)
	c := dial(t, addr)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "greet-1", TaskQueue: taskQueue}, greet, "world")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	kill(t, process)

	process, addr = startChild(t, dir)
	c = dial(t, addr)
	defer c.Close()
	described, err := c.DescribeWorkflowExecution(t.Context(), "greet-1", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := described.GetWorkflowExecutionInfo().GetStatus(); got != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("status after kill: got %s", got)
	}
	worker := startWorker(t, c)
	var greeting string
	if err := c.GetWorkflow(t.Context(), "greet-1", "").Get(t.Context(), &greeting); err != nil || greeting != "hello world" {
		t.Errorf("result after kill: got %q, %v", greeting, err)
	}
	worker.Stop()
	kill(t, process)
}
