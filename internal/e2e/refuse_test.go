package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"busbar/internal/keyring"
	"busbar/internal/pgtest"
)

// checkRefused runs a program that has to end with code 1 and one line that says why.
func checkRefused(t *testing.T, args, env []string, says ...string) {
	t.Helper()
	p := launch(t, "busbar", args, env)
	if code := p.wait(t, patience); code != 1 {
		t.Errorf("exit code = %d, want 1", code)
	}
	text := p.stderr.String()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "busbar: ") {
		t.Errorf("stderr is not one line:\n%s", text)
	}
	for _, part := range says {
		if !strings.Contains(text, part) {
			t.Errorf("the line does not say %q: %s", part, text)
		}
	}
	if out := p.stdout.String(); out != "" {
		t.Errorf("stdout = %q, want nothing", out)
	}
}

func masterKey(t *testing.T) string {
	t.Helper()
	key, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// What cannot work is said in one line before anything is begun.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	devArgs := func(t *testing.T, more ...string) []string { return append(newDev(t).args, more...) }
	key := "BUSBAR_MASTER_KEY=" + masterKey(t)
	for _, tc := range []struct {
		name string
		args []string
		env  []string
		says []string
	}{
		{"no command", nil, nil, nil},
		{"unknown flag", devArgs(t, "--nonsense"), nil, []string{"--nonsense"}},
		{"unknown command", []string{"delver"}, nil, []string{"delver"}},
		{"retry schedule", devArgs(t, "--retry-schedule", "5s,soon"), nil, []string{"--retry-schedule"}},
		{"jitter", devArgs(t, "--retry-jitter", "2"), nil, []string{"--retry-jitter"}},
		{"jitter of the environment", devArgs(t), []string{"BUSBAR_RETRY_JITTER=wide"}, []string{"--retry-jitter"}},
		{"delivery timeout", devArgs(t, "--delivery-timeout", "2h"), nil, []string{"--delivery-timeout"}},
		{"retention", devArgs(t, "--retention", "30d"), nil, []string{"--retention", `"30d"`, "720h", "sandbox=168h,live=2160h"}},
		{"retention under an hour", devArgs(t), []string{"BUSBAR_RETENTION=live=5m"}, []string{"--retention", "live: 5m0s is too short: it must be at least 1h0m0s"}},
		{"retention of no environment", devArgs(t, "--retention", "staging=720h"), nil, []string{"--retention", `"staging"`, `"sandbox"`, `"live"`}},
		{"retention said twice", devArgs(t, "--retention", "live=720h,live=168h"), nil, []string{"--retention", "live is named twice"}},
		{"retention with an empty part", devArgs(t, "--retention", "live=720h,"), nil, []string{"--retention", `""`, "sandbox=168h,live=2160h"}},
		{"allowed ranges", devArgs(t, "--allow-cidrs", "127.0.0.0/80"), nil, []string{"--allow-cidrs"}},
		{"metadata range", devArgs(t, "--allow-cidrs", "169.254.0.0/16"), nil, []string{"--allow-cidrs"}},
		{"durability", devArgs(t, "--durability", "hope"), nil, []string{"--durability"}},
		{"log format", devArgs(t, "--log-format", "xml"), nil, []string{"--log-format"}},
		{"address", devArgs(t, "--addr", "127.0.0.1:99999"), nil, []string{"--addr"}},
		{"no address", devArgs(t, "--addr", ""), nil, []string{"--addr"}},
		{"jitter that is no number", devArgs(t, "--retry-jitter", "NaN"), nil, []string{"--retry-jitter"}},
		{"rate limit that is no number", devArgs(t, "--rate-limit", "NaN"), nil, []string{"rate limit"}},
		{"simulated clock that stands still", devArgs(t, "--simulate-speed", "0"), nil, []string{"--simulate-speed"}},
		{"public URL", devArgs(t, "--public-url", "busbar.example.com"), nil, []string{"--public-url"}},
		{"key that no header can carry", devArgs(t), []string{"BUSBAR_SANDBOX_KEY=sk_test_two words"}, []string{"BUSBAR_SANDBOX_KEY"}},
		{"Temporal address", devArgs(t, "--temporal-addr", "nowhere"), nil, []string{"nowhere"}},
		{"short key", devArgs(t), []string{"BUSBAR_SANDBOX_KEY=sk_test_1"}, []string{"BUSBAR_SANDBOX_KEY"}},
		{"key of the other environment", devArgs(t), []string{"BUSBAR_LIVE_KEY=sk_test_0123456789abcdef"}, []string{"BUSBAR_LIVE_KEY"}},
		{"bad master key", devArgs(t), []string{"BUSBAR_MASTER_KEY=short"}, []string{"BUSBAR_MASTER_KEY"}},
		{"serve without master key", []string{"serve", "--database-url", "postgres://127.0.0.1:1/none"}, nil, []string{"BUSBAR_MASTER_KEY"}},
		{"worker without master key", []string{"worker", "--database-url", "postgres://127.0.0.1:1/none"}, nil, []string{"BUSBAR_MASTER_KEY"}},
		{"serve without database", []string{"serve"}, []string{key}, []string{"--database-url"}},
		{"serve with unreachable database", []string{"serve", "--database-url", "postgres://127.0.0.1:1/none"}, []string{key}, []string{"127.0.0.1:1"}},
		{"worker with unreachable database", []string{"worker", "--database-url", "postgres://127.0.0.1:1/none"}, []string{key}, []string{"127.0.0.1:1"}},
		{"migrate with unreachable database", []string{"migrate", "up", "--database-url", "postgres://127.0.0.1:1/none"}, nil, []string{"127.0.0.1:1"}},
		{"dev with unreachable database", devArgs(t, "--database-url", "postgres://127.0.0.1:1/none"), nil, []string{"127.0.0.1:1"}},
		{"listen without target", []string{"listen", "--api-key", "sk_test_0123456789abcdef"}, nil, []string{"--forward-to"}},
		{"listen to no URL", []string{"listen", "--forward-to", "localhost:3000"}, nil, []string{"--forward-to", "localhost:3000"}},
		{"listen to a file", []string{"listen", "--forward-to", "file:///etc/hosts"}, nil, []string{"--forward-to"}},
		{"listen without key", []string{"listen", "--forward-to", "http://localhost:3000"}, nil, []string{"--api-key", "BUSBAR_API_KEY"}},
		{"listen with no key", []string{"listen", "--forward-to", "http://localhost:3000", "--api-key", "secret"}, nil, []string{"--api-key"}},
		{"listen at no server", []string{"listen", "--forward-to", "http://localhost:3000", "--url", "here"}, nil, []string{"--url", "here"}},
		{"listen at a server that is away", []string{"listen", "--forward-to", "http://localhost:3000", "--url", "http://127.0.0.1:1"}, []string{"BUSBAR_API_KEY=sk_test_0123456789abcdef"}, []string{"http://127.0.0.1:1", "connection refused"}},
		{"probe without server", []string{"probe", "http://127.0.0.1:1/readyz"}, nil, []string{"127.0.0.1:1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			checkRefused(t, tc.args, tc.env, tc.says...)
		})
	}
}

// A second process would write into the files of the first.
func TestSecondProcessOnADirectoryIsRefused(t *testing.T) {
	t.Parallel()
	first := startDev(t)
	second := newDev(t)
	second.dir = first.dir
	args := slices.Concat(second.args, []string{"--data", first.dir})
	checkRefused(t, args, second.env, "in use by another process")
	// The address is taken, too, and is looked at first.
	checkRefused(t, first.args, first.env, "--addr", first.addr)
	if _, ok := first.ready(t); !ok {
		t.Error("the first process is no longer ready")
	}
	checkRefused(t, append(newDev(t).args, "--temporal-addr", first.temporal), nil, first.temporal)
}

// serve, worker and migrate say what their database or cluster lacks.
func TestRefusedInProduction(t *testing.T) {
	t.Parallel()
	env := []string{"BUSBAR_MASTER_KEY=" + masterKey(t)}
	dsn := pgtest.DSN(t)
	nowhere := address(t)
	for _, command := range []string{"serve", "worker"} {
		checkRefused(t, []string{command, "--addr", address(t), "--database-url", dsn}, env, "migrate up")
	}
	migrate(t, dsn, env)
	for _, command := range []string{"serve", "worker"} {
		checkRefused(t, []string{command, "--addr", address(t), "--database-url", dsn, "--temporal-addr", nowhere}, env, nowhere)
	}
}
