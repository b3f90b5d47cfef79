package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/keyring"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/internal/webhook"
	"busbar/web"
)

const rulesKey = "sk_test_0123456789abcdefghijklmnopqrstuv"

// rulesBed is a server whose rules can be worked on, and a directory of files. Routes that need more than the store are not
// asked for.
type rulesBed struct {
	t        *testing.T
	url, dir string
	store    *store.Store
}

func newRulesBed(t *testing.T, rateLimit float64) *rulesBed {
	t.Helper()
	b := &rulesBed{t: t, dir: t.TempDir()}
	text, err := keyring.Generate()
	b.must(err)
	ring, err := keyring.Parse(text)
	b.must(err)
	b.store, err = store.Open(t.Context(), store.Config{
		Path: storetest.SQLite(t), Relaxed: true, Keyring: ring, Logger: slog.New(slog.DiscardHandler),
	})
	b.must(err)
	t.Cleanup(func() { b.must(b.store.Close()) })
	b.must(b.store.EnsureBootstrapKey(t.Context(), busbar.Sandbox, rulesKey))
	guard, err := webhook.NewGuard(webhook.GuardConfig{})
	b.must(err)
	server, err := web.New(web.Config{
		Store: b.store, Intake: struct{ web.Intake }{}, Devices: struct{ web.Devices }{}, Commands: struct{ web.Commands }{}, Holds: nothingHolds{},
		Redeliverer: struct{ web.Redeliverer }{}, Listeners: struct{ web.Listeners }{}, Guard: guard, Logger: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) web.Readiness { return web.Readiness{} }, DeliveryTimeout: time.Second, RateLimit: rateLimit,
	})
	b.must(err)
	h := httptest.NewServer(server.Handler())
	t.Cleanup(h.Close)
	b.url = h.URL
	return b
}

func (b *rulesBed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *rulesBed) write(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	b.must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

// rules runs a command and gives its exit code and what it said, without the directory.
func (b *rulesBed) rules(command string, args ...string) (int, string) {
	b.t.Helper()
	var out bytes.Buffer
	code := run(b.t.Context(), append([]string{"rules", command, "--url", b.url, "--api-key", rulesKey}, args...), &out, &out)
	return code, strings.ReplaceAll(out.String(), b.dir+string(filepath.Separator), "")
}

// want runs a command that must end and speak like this.
func (b *rulesBed) want(code int, said, command string, args ...string) {
	b.t.Helper()
	got, out := b.rules(command, args...)
	if diff := cmp.Diff(said, out); got != code || diff != "" {
		b.t.Errorf("rules %s: exit code %d (-want +got):\n%s", command, got, diff)
	}
}

const ruleText = `# a comment, to be kept
name:   Idle
on: [device.updated]
deviceType: battery
if: state.level >= 99
then: [{push: {device: device, command: idle}}]
`

// warmText is another rule, that the effect of ruleText does not trigger.
var warmText = strings.NewReplacer("battery", "hvac", "state.level >= 99", "state.temperature > 25").Replace(ruleText)

func TestApplyingFilesMakesVersionsOfWhatHasChanged(t *testing.T) {
	t.Parallel()
	b := newRulesBed(t, 0)
	car, named := b.write("Idle when full.yaml", ruleText), b.write("b.yml", "id: other\nmode: shadow\n"+warmText)
	asJSON := b.write("json-rule.json", `{"name":"x","on":["device.updated"],"if":"device.connected","then":[{"emit":{"type":"a.b"}}]}`)
	const warning = "json-rule.json: then[0].emit.type: warning: there is no event type \"a.b\" yet; register it with POST /v1/event-types\n"
	b.want(0, "Idle when full.yaml: rule idle-when-full was created, active\nb.yml: rule other was created, shadow\n"+
		warning+"json-rule.json: rule json-rule was created, active\n", "apply", car, named, asJSON)
	b.want(0, "Idle when full.yaml: rule idle-when-full is unchanged, version 1, active\nb.yml: rule other is unchanged, version 1, shadow\n"+
		"json-rule.json: rule json-rule is unchanged, version 1, active\n", "apply", car, named, asJSON)
	b.write("Idle when full.yaml", strings.Replace(ruleText, "99", "98", 1))
	b.write("json-rule.json", `{"name":"y","on":["device.updated"],"if":"device.connected","then":[{"emit":{"type":"a.b"}}]}`)
	b.want(0, "Idle when full.yaml: rule idle-when-full has a new version, 2, active\n"+warning+"json-rule.json: rule json-rule has a new version, 2, active\n",
		"apply", car, asJSON)
	// Somebody sets modes by hand: a file that names one sets it back, one that does not leaves it.
	for _, id := range []busbar.RuleID{"idle-when-full", "other"} {
		_, err := b.store.SetRuleMode(t.Context(), busbar.Sandbox, id, "disabled", func(*busbar.Rule) error { return nil })
		b.must(err)
	}
	b.want(0, "Idle when full.yaml: rule idle-when-full is unchanged, version 2, disabled\nb.yml: rule other says the same, and is shadow now\n",
		"apply", car, named)
	b.write("Idle when full.yaml", ruleText)
	b.want(0, "Idle when full.yaml: rule idle-when-full has a new version, 3, disabled\n", "apply", car)
}

func TestARuleThatKeepsItsNumbersAsTextsIsUnchanged(t *testing.T) {
	t.Parallel()
	b := newRulesBed(t, 0)
	const rule = `{"name":"x","on":["device.updated"],"deviceType":"ev_charger","if":"state.isConnected",` +
		`"then":[{"push":{"device":"device","command":"charge","parameters":{"current":{"value":%s}}}}]}`
	file := b.write("numbers.json", fmt.Sprintf(rule, `"16"`))
	b.want(0, "numbers.json: rule numbers was created, active\n", "apply", file)
	b.write("numbers.json", fmt.Sprintf(rule, `16`))
	b.want(0, "numbers.json: rule numbers is unchanged, version 1, active\n", "apply", file)
	b.write("numbers.json", fmt.Sprintf(rule, `17`))
	b.want(0, "numbers.json: rule numbers has a new version, 2, active\n", "apply", file)
	b.want(0, "numbers.json: rule numbers is unchanged, version 2, active\n", "apply", file)
}

func TestNothingIsAppliedWhenAFileHasProblems(t *testing.T) {
	t.Parallel()
	b := newRulesBed(t, 0)
	good := b.write("good.yaml", ruleText)
	b.want(1, "bad.yaml: if [6:9]: the state of a battery has no lvl; did you mean level?\nbusbar: nothing was applied: 1 file has problems\n",
		"apply", good, b.write("bad.yaml", strings.Replace(ruleText, "state.level", "state.lvl", 1)))
	b.want(1, "twin.yaml: its id good is that of good.yaml, too\nempty.yaml: this is not YAML that a rule can be read from: the document is empty\nbusbar: nothing was applied: 2 files have problems\n",
		"apply", good, b.write("twin.yaml", "id: good\n"+ruleText), b.write("empty.yaml", ""))
	b.want(1, "....yaml: no id can be made of the name of the file; write one into the rule\nbusbar: nothing was applied: 1 file has problems\n",
		"apply", b.write("....yaml", ruleText))
	if page, err := b.store.Rules(t.Context(), busbar.Sandbox, "", busbar.PageRequest{Limit: 10}); err != nil || len(page.Items) != 0 {
		t.Errorf("applied all the same: %+v, %v", page.Items, err)
	}
}

func TestAFileThatTheServerRefusesKeepsNoOtherFromBeingApplied(t *testing.T) {
	t.Parallel()
	b := newRulesBed(t, 0)
	const failing = "tests: [{name: charges, given: [{device: battery, state: {level: 98}}, {state: {level: 100}}], expect: [{push: {command: charge}}]}]\n"
	refused, good := b.write("refused.yaml", ruleText+failing), b.write("good.yaml", warmText)
	code, out := b.rules("apply", refused, good)
	if code != 1 || !strings.Contains(out, `refused.yaml: tests[0]: the test "charges" failed`) || !strings.Contains(out, "good.yaml: rule good was created, active\n") ||
		!strings.HasSuffix(out, "busbar: 1 file could not be applied\n") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	b.write("refused.yaml", "mode: shadow\n"+ruleText+failing)
	b.want(0, "refused.yaml: test \"charges\": expect[0]: the command was idle, not charge\nrefused.yaml: rule refused was created, shadow\n", "apply", refused)
}

func TestExportGivesBackWhatWasApplied(t *testing.T) {
	t.Parallel()
	b := newRulesBed(t, 0)
	car, other := b.write("car.yaml", ruleText), b.write("Other_1.yaml", strings.Replace(ruleText, "Idle", "Other", 1))
	if code, out := b.rules("apply", car, other); code != 0 {
		t.Fatal(out)
	}
	b.want(0, ruleText, "export", "car")
	b.want(0, ruleText+"---\n"+strings.Replace(ruleText, "Idle", "Other", 1), "export", "car", "Other_1")
	out := filepath.Join(b.dir, "out")
	b.want(0, "out/Other_1.yaml\nout/car.yaml\n", "export", "--out", out)
	for file, want := range map[string]string{"car.yaml": ruleText, "Other_1.yaml": strings.Replace(ruleText, "Idle", "Other", 1)} {
		got, err := os.ReadFile(filepath.Join(out, file))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v (-want +got):\n%s", file, err, cmp.Diff(want, string(got)))
		}
	}
	b.want(0, "out/Other_1.yaml: rule Other_1 is unchanged, version 1, active\nout/car.yaml: rule car is unchanged, version 1, active\n",
		"apply", filepath.Join(out, "Other_1.yaml"), filepath.Join(out, "car.yaml"))
	if left, err := filepath.Glob(filepath.Join(out, ".rule-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	b.want(1, "busbar: export none: no rule has the id \"none\"\n", "export", "none")
	b.want(1, "busbar: \"a b\" cannot be the id of a rule\n", "export", "a b")
}

func TestRuleFilesNeedAServerAndAKey(t *testing.T) {
	t.Parallel()
	b := newRulesBed(t, 0)
	car := b.write("car.yaml", ruleText)
	away := httptest.NewServer(nil)
	away.Close()
	strange := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(strange.Close)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no URL":          {[]string{"--url", "ftp://x", "--api-key", rulesKey}, "--url:"},
		"bad key":         {[]string{"--url", b.url, "--api-key", "key"}, "--api-key: it must begin with"},
		"unknown key":     {[]string{"--url", b.url, "--api-key", rulesKey + "x"}, "apply car.yaml:"},
		"not there":       {[]string{"--url", away.URL, "--api-key", rulesKey}, "apply car.yaml: reach the server: "},
		"somebody else's": {[]string{"--url", strange.URL, "--api-key", rulesKey}, "it answered 404 Not Found, which is not what Busbar says"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), append(append([]string{"rules", "apply"}, c.args...), car), &out, &out)
		said := strings.ReplaceAll(out.String(), b.dir+string(filepath.Separator), "")
		if code != 1 || !strings.Contains(said, c.want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q, want one line with %q", name, code, said, c.want)
		}
	}
}

func TestApplyingWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	b := newRulesBed(t, 2)
	b.want(0, "a.yaml: rule a was created, active\nb.yaml: rule b was created, active\n", "apply",
		b.write("a.yaml", ruleText), b.write("b.yaml", warmText))
}

// nothingHolds is a Busbar without holds.
type nothingHolds struct{}

// RestartHolds has nothing to do.
func (nothingHolds) RestartHolds(context.Context, busbar.Environment, busbar.RuleID) error {
	return nil
}
