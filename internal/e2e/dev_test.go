package e2e_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"busbar/internal/temporal"
)

// namespace is where dev and the stand-in cluster keep their workflows.
const namespace = "default"

// dev is a data directory with addresses, in which "busbar dev" can be started again and again.
type dev struct {
	dir, addr, temporal string
	key                 string
	args, env           []string
	*process
	*api
}

// newDev makes a directory and chooses addresses; start runs a process on them.
func newDev(t *testing.T, args ...string) *dev {
	t.Helper()
	d := &dev{dir: filepath.Join(t.TempDir(), "data"), addr: address(t), temporal: address(t), key: "sk_test_" + rand.Text()}
	d.args = append([]string{
		"dev", "--data", d.dir, "--addr", d.addr, "--temporal-addr", d.temporal, "--temporal-ui-addr", "off", "--no-simulate",
	}, args...)
	d.env = []string{"BUSBAR_SANDBOX_KEY=" + d.key, "BUSBAR_RETRY_JITTER=0"}
	d.api = newAPI(t, d.addr, d.key)
	return d
}

// start runs the process and returns when it is ready.
func (d *dev) start(t *testing.T) {
	t.Helper()
	d.process = launch(t, "busbar", d.args, d.env)
	d.awaitReady(t, d.process)
}

// awaitBanner returns when the process has told people that it is ready, a moment after it has told machines.
func (d *dev) awaitBanner(t *testing.T) {
	t.Helper()
	await(t, "the banner", func() bool { return strings.Contains(d.stdout.String(), "is ready") })
}

// startDev is newDev and start.
func startDev(t *testing.T, args ...string) *dev {
	t.Helper()
	d := newDev(t, args...)
	d.start(t)
	return d
}

// temporalClient connects to the process's Temporal.
func (d *dev) temporalClient(t *testing.T) client.Client {
	t.Helper()
	return dialTemporal(t, d.temporal)
}

func dialTemporal(t *testing.T, addr string) client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := temporal.Dial(ctx, temporal.Options{Addr: addr, Namespace: namespace, Logger: testLogger(t)})
	if err != nil {
		t.Fatalf("connect to Temporal: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// ready asks a process whether it is ready. Its answer is no envelope.
func (a *api) ready(t *testing.T) (readiness, bool) {
	t.Helper()
	return readyz(t, a)
}

// awaitReady returns when the process is ready, and fails the test when it ends before.
func (a *api) awaitReady(t *testing.T, p *process) {
	t.Helper()
	await(t, "the process to be ready", func() bool {
		if p.ended() {
			t.Fatalf("the process ended with code %d before it was ready", p.code)
		}
		_, ok := a.ready(t)
		return ok
	})
}

// healthy says whether a process answers at all.
func (a *api) healthy(t *testing.T) bool {
	t.Helper()
	code, _ := get(t, a, "/healthz")
	return code == http.StatusOK
}
