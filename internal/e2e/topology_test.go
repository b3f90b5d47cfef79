package e2e_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"busbar/internal/pgtest"
)

// topology is Busbar as in production, as processes of this machine: PostgreSQL, a cluster's stand-in, and any number of
// "serve" and "worker" beside them.
type topology struct {
	dsn, temporal, key string
	env                []string
	cluster            *process
	clusterArgs        []string
}

// newTopology migrates a database and starts the stand-in; store says where that keeps its data.
func newTopology(t *testing.T, dsn string, store ...string) *topology {
	t.Helper()
	p := &topology{dsn: dsn, temporal: address(t), key: "sk_test_" + rand.Text()}
	p.env = []string{
		"BUSBAR_MASTER_KEY=" + masterKey(t), "BUSBAR_SANDBOX_KEY=" + p.key, "BUSBAR_DATABASE_URL=" + dsn,
		"BUSBAR_TEMPORAL_ADDR=" + p.temporal, "BUSBAR_ALLOW_CIDRS=127.0.0.0/8", "BUSBAR_RETRY_JITTER=0", "BUSBAR_RATE_LIMIT=0",
	}
	migrate(t, dsn, p.env)
	if len(store) == 0 {
		store = []string{"--data", t.TempDir()}
	}
	p.clusterArgs = append([]string{"--addr", p.temporal}, store...)
	p.startCluster(t)
	return p
}

// startCluster starts the stand-in, for the first time or again on the same data.
func (p *topology) startCluster(t *testing.T) {
	t.Helper()
	p.cluster = launch(t, "standin", p.clusterArgs, nil)
	await(t, "the cluster to be ready", func() bool {
		if p.cluster.ended() {
			t.Fatalf("the cluster ended with code %d", p.cluster.code)
		}
		return strings.Contains(p.cluster.stdout.String(), "ready "+p.temporal)
	})
}

// server is a "serve" or "worker" process.
type server struct {
	*process
	*api
}

// run starts a command and returns at once.
func (p *topology) run(t *testing.T, command string, args ...string) *server {
	t.Helper()
	addr := address(t)
	return &server{launch(t, "busbar", append([]string{command, "--addr", addr}, args...), p.env), newAPI(t, addr, p.key)}
}

// awaitReady returns when all of the servers are ready.
func awaitReady(t *testing.T, servers ...*server) {
	t.Helper()
	for _, s := range servers {
		s.awaitReady(t, s.process)
	}
}

// migrate applies the migrations and compares what "status" says before and after.
func migrate(t *testing.T, dsn string, env []string) {
	t.Helper()
	before := runOnce(t, env, "migrate", "status", "--database-url", dsn)
	if !strings.Contains(before, "pending") || strings.Contains(before, "applied") {
		t.Fatalf("status of an empty database:\n%s", before)
	}
	applied := runOnce(t, env, "migrate", "up", "--database-url", dsn)
	if want := strings.ReplaceAll(before, "pending ", "applied"); applied != want {
		t.Fatalf("migrate up said\n%swant\n%s", applied, want)
	}
	after := runOnce(t, env, "migrate", "status", "--database-url", dsn)
	if want := strings.ReplaceAll(before, "pending", "applied"); after != want {
		t.Fatalf("status after migrate up:\n%swant\n%s", after, want)
	}
	if again := runOnce(t, env, "migrate", "up", "--database-url", dsn); again != "nothing to apply\n" {
		t.Fatalf("a second migrate up said %q", again)
	}
}

// runOnce runs a command that ends by itself and returns what it prints.
func runOnce(t *testing.T, env []string, args ...string) string {
	t.Helper()
	p := launch(t, "busbar", args, env)
	if code := p.wait(t, patience); code != 0 {
		t.Fatalf("busbar %s: exit code %d: %s", strings.Join(args, " "), code, p.stderr.String())
	}
	return p.stdout.String()
}

// A worker that dies in the middle of its work costs nothing: the other does it.
func TestWorkerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t), "--postgres", pgtest.DSN(t))
	serve := p.run(t, "serve", "--worker=false")
	first, second := p.run(t, "worker"), p.run(t, "worker")
	awaitReady(t, serve, first, second)
	s := newSink(t)
	serve.subscribe(t, s, nil)
	l := startLoad(t, load{apis: []*api{serve.api}, clients: 8, events: 300, prefix: "evt_worker"})
	s.awaitCount(60)
	first.kill(t)
	ids := l.wait(t)
	s.awaitIDs(ids)
	checkRepeats(t, s, 1)
	if l.refused() > 0 {
		t.Errorf("%d posts were refused, though only a worker died", l.refused())
	}
	if code := second.stop(t); code != 0 {
		t.Errorf("exit code of the other worker = %d", code)
	}
	if code := serve.stop(t); code != 0 {
		t.Errorf("exit code of serve = %d", code)
	}
}
