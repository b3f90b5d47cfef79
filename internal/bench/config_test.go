package bench_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	target := func(url string) func(*bench.Config) {
		return func(c *bench.Config) { c.Target, c.Key = url, "sk_test_x" }
	}
	for _, test := range []struct {
		name   string
		change func(*bench.Config)
		want   string // empty: accepted
	}{
		{"defaults", func(*bench.Config) {}, ""},
		{"all", func(c *bench.Config) { c.Scenarios = []bench.Scenario{bench.All} }, ""},
		{"loopback name", target("http://localhost:8080"), ""},
		{"loopback address", target("http://127.8.9.1:8080/"), ""},
		{"loopback IPv6", target("http://[::1]:8080"), ""},
		{"stranger", target("http://example.com"), "not on this machine"},
		{"stranger that looks local", target("http://localhost.example.com"), "not on this machine"},
		{"stranger behind a user", target("http://127.0.0.1@example.com"), "plain URL"},
		{"private network", target("http://192.168.1.10:8080"), "not on this machine"},
		{"any address", target("http://0.0.0.0:8080"), "not on this machine"},
		{"no URL", target("localhost:8080"), "not an http"},
		{"file", target("file:///etc/passwd"), "not an http"},
		{"no key", func(c *bench.Config) { c.Target = "http://127.0.0.1:1" }, "needs a key"},
		{"key without target", func(c *bench.Config) { c.Key = "sk_test_x" }, "belong to a target"},
		{"no scenario", func(c *bench.Config) { c.Scenarios = nil }, "no scenario"},
		{"unknown scenario", func(c *bench.Config) { c.Scenarios = []bench.Scenario{"fast"} }, "unknown scenario"},
		{"crash of a target", func(c *bench.Config) {
			target("http://127.0.0.1:1")(c)
			c.Scenarios = []bench.Scenario{bench.Crash}
		}, "crash needs a server"},
		{"memory of an unknown process", func(c *bench.Config) {
			target("http://127.0.0.1:1")(c)
			c.Scenarios = []bench.Scenario{bench.Pending}
		}, "pending needs the process id"},
		{"memory of an unknown process with a receiver down", func(c *bench.Config) {
			target("http://127.0.0.1:1")(c)
			c.Scenarios = []bench.Scenario{bench.Parked}
		}, "parked needs the process id"},
		{"parked events", func(c *bench.Config) { c.ParkedEvents = 0 }, "parked events is 0"},
		{"care rate", func(c *bench.Config) { c.CareRate = 0 }, "care rate is 0"},
		{"care for too long", func(c *bench.Config) {
			c.Scenarios, c.Duration = []bench.Scenario{bench.Care}, 20*time.Minute
		}, "samples of care"},
		{"long, but not care", func(c *bench.Config) { c.Duration = 20 * time.Minute }, ""},
		{"rate", func(c *bench.Config) { c.Rate = 0 }, "rate is 0"},
		{"in flight", func(c *bench.Config) { c.InFlight = 1 << 20 }, "in-flight is"},
		{"endpoints", func(c *bench.Config) { c.Endpoints = 0 }, "endpoints is 0"},
		{"payload", func(c *bench.Config) { c.Payload = bench.MiB }, "payload is"},
		{"duration", func(c *bench.Config) { c.Duration = 0 }, "duration is 0s"},
		{"too long", func(c *bench.Config) { c.Drain = 2 * time.Hour }, "drain is 2h0m0s"},
		{"too many samples", func(c *bench.Config) { c.Rate, c.Duration = 10_000, time.Minute }, "samples"},
		{"growth falls", func(c *bench.Config) { c.GrowthAt = []int{1000, 900} }, "growth at 900"},
		{"no growth", func(c *bench.Config) { c.GrowthAt = nil }, "growth needs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := bench.DefaultConfig()
			test.change(&cfg)
			err := cfg.Validate()
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestAllLeavesOutWhatTheTargetDoesNotPermit(t *testing.T) {
	t.Parallel()
	cfg, _ := against(t, quick(bench.All), fakeFaults{})
	cfg.JSON = true
	var out strings.Builder
	report, err := bench.Run(t.Context(), cfg, &out)
	if err != nil {
		t.Fatal(err)
	}
	var ran, left []string
	for _, result := range report.Results {
		ran = append(ran, fmt.Sprintf("%s %d", result.Scenario, result.Endpoints))
	}
	for _, skip := range report.Skipped {
		left = append(left, string(skip.Scenario))
	}
	if diff := cmp.Diff([]string{"paced 1", "saturated 1", "saturated 3", "hanging 3", "telemetry 0", "care 50"}, ran); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"idle", "crash", "pending", "growth", "parked"}, left); diff != "" {
		t.Error(diff)
	}
}

func TestDialledAddressMustBeLoopback(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"10.0.0.1:80": false, "[fe80::1]:80": false, "203.0.113.5:443": false, "localhost:80": false, "127.0.0.1": false,
	} {
		if err := bench.CheckDialled(address); (err == nil) != allowed {
			t.Errorf("%s: error %v, want allowed %t", address, err, allowed)
		}
	}
}

func TestCommandLineShowsNoSecrets(t *testing.T) {
	t.Parallel()
	got := bench.MaskCommand([]string{
		"busbar", "bench", "paced", "--key", "sk_test_1", "--key=sk_test_2", "--rate", "50",
		"--server-args", "--database-url=postgres://me:pass@localhost/db?sslmode=disable", "postgres://me:pass@localhost/db",
		"--temporal-api-key", "abc", "--target=http://127.0.0.1:8080", "--admin-password=p",
	})
	want := "busbar bench paced --key *** --key=*** --rate 50 " +
		"--server-args --database-url=postgres://***@localhost/db?sslmode=disable postgres://***@localhost/db " +
		"--temporal-api-key *** --target=http://127.0.0.1:8080 --admin-password=***"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestServerDoesNotInheritSettings(t *testing.T) {
	t.Parallel()
	got := bench.Foreign([]string{"PATH=/bin", "BUSBAR_DATABASE_URL=postgres://x", "HOME=/", "BUSBAR_ADDR=:1"})
	if diff := cmp.Diff([]string{"PATH=/bin", "HOME=/"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSizesAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1KiB": "1KiB", "1024": "1KiB", "100": "100B", "100B": "100B", "2048 B": "2KiB", "3MiB": "3MiB",
		"": "", "-1": "", "1kb": "", "1.5KiB": "", "99999999999999": "",
	} {
		var size bench.Size
		err := size.UnmarshalText([]byte(text))
		if (err == nil) != (want != "") {
			t.Errorf("%q: error %v", text, err)
			continue
		}
		if err == nil && size.String() != want {
			t.Errorf("%q is %s, want %s", text, size, want)
		}
	}
}

func TestClientRefusesToDialStrangers(t *testing.T) {
	t.Parallel()
	err := bench.Get(t.Context(), "http://192.0.2.1:9")
	if err == nil || !strings.Contains(err.Error(), "is not loopback") {
		t.Errorf("error %v", err)
	}
}
