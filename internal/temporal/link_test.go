package temporal_test

import (
	"testing"

	"busbar/internal/temporal"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	const base = "http://127.0.0.1:8233"
	for name, test := range map[string]struct{ got, want string }{
		"run": {
			temporal.WorkflowURL(base+"/", "default", "event-live-evt_1", "r-1"),
			base + "/namespaces/default/workflows/event-live-evt_1/r-1/history",
		},
		"newest run": {
			temporal.WorkflowURL(base, "default", "event-live-evt_1", ""),
			base + "/namespaces/default/workflows/event-live-evt_1",
		},
		"escaped": {
			temporal.WorkflowURL(base, "a/b", "x?y#z/ä", "r"),
			base + "/namespaces/a%2Fb/workflows/x%3Fy%23z%2F%C3%A4/r/history",
		},
		"no UI": {temporal.WorkflowURL("", "default", "w", "r"), ""},
		"query": {
			temporal.QueryURL(base, "default", "DeviceId = 'a&b'"),
			base + "/namespaces/default/workflows?query=DeviceId+%3D+%27a%26b%27",
		},
		"query without UI": {temporal.QueryURL("", "default", "x"), ""},
		"failing": {
			temporal.FailingQuery(`ep_1' OR '`),
			`FailingEndpointIds = 'ep_1\' OR \'' AND ExecutionStatus = 'Running'`,
		},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", name, test.got, test.want)
		}
	}
}
