package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var printedKey = regexp.MustCompile(`sk_(test|live)_[A-Za-z0-9_-]{16,}`)

// From an empty directory to a signed webhook, and again after an orderly stop.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	d := newDev(t)
	d.env = nil
	d.start(t)
	d.awaitBanner(t)
	keys := printedKey.FindAllString(d.stdout.String(), -1)
	if len(keys) != 2 || !strings.HasPrefix(keys[0], "sk_test_") || !strings.HasPrefix(keys[1], "sk_live_") {
		t.Fatalf("printed keys %q, want one of each environment; output:\n%s", keys, d.stdout.String())
	}
	if !strings.Contains(d.stdout.String(), "http://"+d.addr) {
		t.Errorf("the banner does not name the address:\n%s", d.stdout.String())
	}
	d.api.key = keys[0]
	s := newSink(t)
	s.behave(func(arrival) reply { return reply{status: http.StatusCreated, body: "thank you"} })
	d.subscribe(t, s, nil)
	acc := d.post(t, "evt_first")
	if diff := cmp.Diff(accepted{"evt_first", "accepted", "event-sandbox-evt_first"}, acc); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	checkFirst(t, s.awaitCount(1)[0])
	checkRecord(t, d.awaitDelivered(t, "evt_first"))
	checkMode(t, filepath.Join(d.dir, "master.key"), 0o600)
	checkMode(t, d.dir, 0o700)

	if code := d.stop(t); code != 0 {
		t.Errorf("exit code after SIGTERM = %d, want 0", code)
	}
	d.start(t)
	d.awaitBanner(t)
	if again := printedKey.FindAllString(d.stdout.String(), -1); again != nil {
		t.Errorf("the second start prints keys: %q", again)
	}
	if got := d.onlyDelivery(t, "evt_first"); got.Status != "delivered" {
		t.Errorf("after a restart the delivery is %s", got.Status)
	}
	if again := d.post(t, "evt_first"); again.Status != "duplicate" {
		t.Errorf("after a restart the event is %s, want duplicate", again.Status)
	}
	d.post(t, "evt_second")
	if arrivals := s.awaitCount(2); arrivals[1].id != "evt_second" {
		t.Errorf("after a restart %s arrived, want evt_second", arrivals[1].id)
	}
}

// checkFirst compares a webhook with what subscribers are promised. Its signature was verified on arrival.
func checkFirst(t *testing.T, a arrival) {
	t.Helper()
	var body struct {
		EventID     string          `json:"eventId"`
		Type        string          `json:"type"`
		Timestamp   string          `json:"timestamp"`
		Environment string          `json:"environment"`
		Data        json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatalf("body: %v", err)
	}
	if body.EventID != "evt_first" || body.Type != "device.updated" || body.Environment != "sandbox" || string(body.Data) != `{"state":{"level":99.5}}` {
		t.Errorf("body = %s", a.body)
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(body.Timestamp) {
		t.Errorf("timestamp = %q", body.Timestamp)
	}
	got := map[string]string{
		"webhook-id": a.id, "event-type": a.eventType, "environment": a.environment,
		"content-type": a.header.Get("content-type"), "svix-id": a.header.Get("svix-id"),
		"same signature": a.header.Get("svix-signature"), "same timestamp": a.header.Get("svix-timestamp"),
	}
	want := map[string]string{
		"webhook-id": "evt_first", "event-type": "device.updated", "environment": "sandbox",
		"content-type": "application/json", "svix-id": "evt_first",
		"same signature": a.header.Get("webhook-signature"), "same timestamp": a.header.Get("webhook-timestamp"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(a.header.Get("user-agent"), "Busbar/") || a.attempt != 1 || !strings.HasPrefix(a.delivery, "dlv_") {
		t.Errorf("user-agent %q, attempt %d, delivery %q", a.header.Get("user-agent"), a.attempt, a.delivery)
	}
}

// checkRecord compares what is on record of a delivery that went well at once.
func checkRecord(t *testing.T, d delivery) {
	t.Helper()
	if d.AttemptCount != 1 || len(d.Attempts) != 1 || !d.NextAttemptAt.IsZero() {
		t.Fatalf("delivery = %+v, want one attempt and no next", d)
	}
	a := d.Attempts[0]
	if a.Number != 1 || a.StatusCode != http.StatusCreated || a.ResponseBody != "thank you" || a.Error != "" || !a.NextAttemptAt.IsZero() {
		t.Errorf("attempt = %+v", a)
	}
	if a.DurationMs <= 0 || a.Timing.TotalMs <= 0 || a.Timing.ConnectMs <= 0 || a.Timing.FirstByteMs <= 0 || a.Timing.FirstByteMs > a.Timing.TotalMs {
		t.Errorf("timing = %+v of %v ms", a.Timing, a.DurationMs)
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("mode of %s is %o, want %o", filepath.Base(path), got, want)
	}
}

// Several first starts at once on one directory: one goes on, and what it has encrypted can be read ever after.
func TestFirstStartsAtOnceMakeOneMasterKey(t *testing.T) {
	t.Parallel()
	const starts = 4
	all := make([]*dev, starts)
	for i := range all {
		all[i] = newDev(t)
		all[i].args = append(all[i].args, "--data", all[0].dir)
	}
	for _, d := range all {
		d.process = launch(t, "busbar", d.args, d.env)
	}
	var one *dev
	await(t, "one to go on and the others to end", func() bool {
		ended := 0
		for _, d := range all {
			if d.ended() {
				d.expected.Store(true)
				ended++
			} else if _, ok := d.ready(t); ok {
				one = d
			}
		}
		return ended == starts-1 && one != nil
	})
	s := newSink(t)
	one.subscribe(t, s, nil)
	one.kill(t)
	one.start(t)
	one.post(t, "evt_readable")
	one.awaitDelivered(t, "evt_readable")
}
