package rules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
)

// example has every field that a rule may have.
const example = `name: Charge the car when the battery is full
id: rule_1
mode: active
on: [device.updated]
deviceType: battery
siteIds: []
scope: device
if: state.level >= 99
edge: rising
rearm: state.level < 95
for: 10m
grace: 5m
cooldown: 30m
window: {from: "08:00", to: "18:00", days: [mon, tue, wed, thu, fri], timezone: site}
actWithin: 15m
priority: 50
then:
  - push: {device: 'find(site.evChargers, .state.isConnected)', command: charge,
           parameters: {current: {value: 'clamp(floor(-site.meter.state.importPower / 0.69), 6, 16)', unit: amps}},
           guard: 'state.level >= 95', onConflict: cancel_and_replace, expiresIn: 10m, retries: 2}
  - emit: {type: battery.full, data: {level: 'state.level'}}
else_failed:
  - emit: {type: automation.failed, data: {reason: 'error.message'}}
tests:
  - name: fires at full
    given: [{type: device.updated, device: battery, state: {level: 98}}, {after: 1m, state: {level: 100}}]
    expect: [{push: {deviceType: ev_charger, command: charge}}, {emit: {type: battery.full, data: {level: 100}}}]
`

func TestExample(t *testing.T) {
	t.Parallel()
	rule, err := rules.ParseYAML([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	c, diagnostics := rules.Check(rule)
	if len(diagnostics) > 0 {
		t.Fatalf("diagnostics %+v", diagnostics)
	}
	results := c.RunTests()
	want := []rules.TestResult{{Name: "fires at full", Passed: true, Log: []string{
		"+0s rule_1 false",
		"+1m rule_1 holding",
		"+11m rule_1 fired",
		"+11m rule_1 push dev_ev_charger charge current=6amps",
		`+11m rule_1 emit battery.full {"level":100}`,
	}}}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Error(diff)
	}
	text, err := rule.YAML()
	if err != nil {
		t.Fatal(err)
	}
	const canonical = `name: Charge the car when the battery is full
id: rule_1
on:
  - device.updated
deviceType: battery
scope: device
if: state.level >= 99
rearm: state.level < 95
for: 10m
grace: 5m
cooldown: 30m
window:
  from: "08:00"
`
	if !strings.HasPrefix(string(text), canonical) {
		t.Errorf("canonical form:\n%s", text)
	}
}

// TestRuleThatIsWrong has what is refused before anything is compiled, with the path of the field.
func TestRuleThatIsWrong(t *testing.T) {
	t.Parallel()
	const good = "name: x\non: [a.b]\nif: 'true'\nthen: [{emit: {type: c.d}}]\n"
	for text, want := range map[string]string{
		"":                                  "the document is empty",
		"[]":                                "must be an object, not an array",
		"a: [":                              "this is not YAML",
		"a: &x 1\nb: *x":                    "aliases are not taken",
		"name: x\nname: y":                  `the key "name" is there twice`,
		"---\n" + good + "---\n" + good:     "more than one document",
		"name: x":                           "on: is missing",
		good + "iff: x":                     "iff: there is no field of this name; did you mean if?",
		good + "window: {form: '08:00'}":    "window.form: there is no field of this name; did you mean from?",
		good + "mode: on":                   `mode: "on" is none of active, shadow, disabled`,
		good + "for: 10":                    "for: must be a string, not a number",
		good + "for: 25h":                   "for: must be from 1s to 24h",
		good + "for: ten minutes":           "for: \"ten minutes\" is not a duration",
		good + "grace: 5m":                  "grace: is about a hold",
		good + "edge: every\nrearm: 'true'": "rearm: edge: every has no edge",
		good + "edge: every\nfor: 10m":      "for: edge: every has no edge",
		good + "priority: 100":              "priority: must be a whole number from 0 to 99",
		good + "deviceType: toaster":        `deviceType: "toaster" is none of`,
		good + "window: {from: '08:00', to: '08:00'}":                                                 "window.to: a window that ends when it begins is empty",
		good + "window: {from: '8', to: '25:00'}":                                                     `window.from: "8" is not a time of day as 08:00 (and 1 more)`,
		good + "window: {from: '08:00', to: '09:00', timezone: Moon}":                                 `window.timezone: "Moon" is neither`,
		good + "else_failed: [{push: {device: find(x, .y), command: idle}}]":                          `else_failed[0].push[".y)"]: there is no field of this name; there is device, command, start, end, guard, onConflict, expiresIn, retries, parameters; an expression with a comma or a colon in braces needs quotes`,
		good + "else_failed: [{}]":                                                                    "else_failed[0]: must be one of push and emit",
		good + "else_failed: [{push: {device: device}}]":                                              "else_failed[0].push.command: is missing",
		good + "else_failed: [{push: {device: device, command: x, end: 1h}}]":                         "else_failed[0].push.end: a window needs a start",
		good + "else_failed: [{emit: {type: push.completed}}]":                                        "else_failed[0].emit.type: events of this type are made by Busbar only",
		good + "rearm: ['true']":                                                                      "rearm: must be an expression, not an array",
		strings.Replace(good, "'true'", "''", 1):                                                      "if: the expression is empty",
		strings.Replace(good, "[a.b]", "a.b", 1):                                                      "on: must be an array",
		good + "else_failed: [{push: {device: [1], command: [x], parameters: {power: {value: {}}}}}]": "must be an expression, not an array (and 2 more)",
		good + "tests: [{name: a}]":                                                                   "tests[0].given: is missing",
		good + "if2: {a: !!binary aGVsbG8=}":                                                          "values of the type !!binary are not taken",
		"name: .nan\n":                                                                                "is no number",
		strings.Repeat("x", 70_000):                                                                   "the rule has 70000 bytes",
		strings.Repeat("[", 2000):                                                                     "this is not YAML",
		"a: " + strings.Repeat("[", 40) + strings.Repeat("]", 40):                                     "it nests deeper than 32",
	} {
		t.Run(text[:min(len(text), 60)], func(t *testing.T) {
			t.Parallel()
			_, err := rules.ParseYAML([]byte(text))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
			wrong, ok := errors.AsType[*busbar.Error](err)
			if !ok {
				t.Fatalf("error %v has no code", err)
			}
			told := map[string]bool{}
			for _, f := range wrong.Fields {
				if told[f.Path] {
					t.Errorf("%s is told of twice: %v", f.Path, err)
				}
				told[f.Path] = true
			}
		})
	}
}

func TestNumberThatIsTooLargeIsToldInPlainWords(t *testing.T) {
	t.Parallel()
	_, err := rules.ParseJSON([]byte(`{"priority":1e400}`))
	if want := "INVALID_JSON: the number 1e400 is too large"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestDiagnostics has what compiles not, or is suspicious: the field, the part of its text, the message.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"if: state.lvl >= 99":                       "error if [lvl]: the state of a battery has no lvl; did you mean level?",
		"if: sate.level >= 99":                      "error if [sate]: unknown name sate; did you mean state?",
		`if: state.status == "chargin"`:             `error if ["chargin"]: state.status is never "chargin"; did you mean charging?`,
		`if: '"idel" == state.status'`:              `error if ["idel"]: state.status is never "idel"; did you mean idle?`,
		`if: state.status in ["idle", "of"]`:        `error if ["of"]: state.status is never "of"; there is charging, discharging, idle, standby`,
		`if: '"levl" in changed'`:                   `error if ["levl"]: "levl" is never in it; did you mean level?`,
		`if: state.level >= "99"`:                   `error if [>=]: state.level is a number, and "99" is a string: they cannot be compared with >=`,
		"if: state.level":                           "error if [state.level]: this gives a number, where a boolean is needed",
		"if: state.level = 99":                      `error if [=]: unexpected "="; to compare, write ==`,
		"if: state.level >":                         "error if [>]: the expression ends too early",
		"if: any(site.batteries, .state.lvl > 1)":   "error if [lvl]: the state of a battery has no lvl; did you mean level?",
		"if: site.evCharger.state.isConnected":      "error if [evCharger]: the site has no evCharger; did you mean evChargers?",
		"if: site.evChargers.state":                 "error if [state]: site.evChargers is a list; ask any(site.evChargers, .state …), or take one with first() or find()",
		"if: now.Hour() > 5":                        "error if [Hour]: there are no methods; did you mean .hour?",
		"if: now() > now":                           "error if [now]: now() is not part of the language of rules: now is a variable: write it without brackets",
		"if: clmp(state.level, 1, 2)":               "error if [clmp]: unknown function clmp; did you mean clamp?",
		"if: reduce(site.batteries, 1) > 0":         "error if [reduce]: reduce() is not part of the language of rules: it has no bound",
		"if: state.level > 1; true":                 "error if [true]: there is one expression; join conditions by and",
		"if: clamp(1, 2) > 0":                       "error if [clamp]: clamp is called as clamp(x, lo, hi)",
		`if: fresh(5, "5m")`:                        "error if [5]: fresh needs a field of a state, as state.level",
		`if: fresh(state.level, "5 minutes")`:       `error if ["5 minutes"]: this must be a duration such as "5m"`,
		"if: crossedUp(site.meter.state.price, 1)":  "error if [price]: this needs a field of the event's device, as state.level: of others no value before the event is known",
		`if: inWindow("22:00", "22:00")`:            "error if [inWindow]: a window that ends when it begins is empty",
		`if: quantity(1, "kW") > quantity(1, "kw")`: `error if ["kW"]: "kW" is none of percent`,
		"if: 'error.code == \"x\"'":                 "error if [error]: unknown name error",
		"if: '\"ä\" == sate.x'":                     "error if [sate]: unknown name sate; did you mean state?",
		"if: state.level > 100":                     "warning if [state.level > 100]: this is never true: state.level lies from 0 to 100 %",
		"if: 100 < state.level":                     "warning if [100 < state.level]: this is never true",
		"if: state.level >= 0":                      "warning if [state.level >= 0]: this is true whenever state.level is known",
		"if: state.level == 99.95":                  "warning if [state.level == 99.95]: state.level is rounded to 0.1 and is never equal to 99.95",
		"if: state.level == 99":                     "warning if [state.level == 99]: state.level is measured, and may step over 99",
		"if: state.level in 20..80":                 "warning if [state.level in 20..80]: only whole numbers lie in a range, and state.level may be none; write between(state.level, 20, 80)",
		"if: state.level > 80 and state.level < 20": "warning if [state.level > 80 and state.level < 20]: this is never true: state.level cannot be > 80 and < 20",
		"if: state.level > 80 and device.connected and 20 > state.level and device.connected": "warning if [state.level > 80 and device.connected and 20 > state.level]: this is never true: state.level cannot be > 80 and < 20",
		"if: between(state.level, 80, 20)":                                                                     "warning if [80]: this is never true: the lower bound lies above the upper one",
		"if: state.level != nil":                                                                               "warning if [state.level != nil]: what is null is unknown",
		"then: [{push: {device: '\"dev_1\"', command: idle}}]":                                                 `error then[0].push.device ["dev_1"]: this gives a string, where a device or a list of devices is needed`,
		"then: [{push: {device: site.meter, command: idle}}]":                                                  "error then[0].push.device []: a meter takes no commands",
		"then: [{push: {device: device, command: chrge}}]":                                                     `error then[0].push.command []: there is no command "chrge"; did you mean charge?`,
		"then: [{push: {device: device, command: charge, parameters: {pwer: {value: 1}}}}]":                    `error then[0].push.parameters.pwer []: charge takes no parameter "pwer"; did you mean power?`,
		"then: [{push: {device: device, command: charge, parameters: {power: {value: 1, unit: amps}}}}]":       "error then[0].push.parameters.power.unit []: power is measured in kw, not in amps",
		"then: [{push: {device: device, command: charge, parameters: {power: {value: 'now'}}}}]":               "error then[0].push.parameters.power.value [now]: this gives a time, where a number or a quantity is needed",
		"then: [{push: {device: device, command: charge, parameters: {power: {value: '7000', unit: watts}}}}]": "warning then[0].push.parameters.power.value [7000]: power lies from 0 to 5 kw, unless a device says otherwise: others refuse this",
		"then: [{push: {device: 'first(site.hvacs)', command: heat}}]":                                         "error then[0].push.parameters.target []: heat needs it",
		"then: [{emit: {type: a.b, data: {x: [{y: 'lvl'}]}}}]":                                                 "error then[0].emit.data.x[0].y [lvl]: unknown name lvl",
		"then: [{emit: {type: a.b, data: {x: 'steps[0].status'}}}]":                                            "error then[0].emit.data.x [steps]: unknown name steps",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			const base = "name: full\non: [device.updated]\ndeviceType: battery\nif: state.level >= 99\nthen:\n  - emit: {type: battery.full}\n"
			key, _, _ := strings.Cut(line, ":")
			rule, err := rules.ParseYAML([]byte(withoutKey(base, key) + line + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			_, diagnostics := rules.Check(rule)
			var got []string
			for _, d := range diagnostics {
				source := ""
				if d.Field == "if" {
					source = rule.If
				} else if len(rule.Then) > 0 && d.To > 0 {
					source = sourceOf(rule, d.Field)
				}
				got = append(got, string(d.Severity)+" "+d.Field+" ["+string([]rune(source)[min(d.From, len([]rune(source))):min(d.To, len([]rune(source)))])+"]: "+d.Message)
			}
			if len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// sourceOf is the text that a diagnostic about the first step is about.
func sourceOf(r *rules.Rule, field string) string {
	switch step := r.Then[0]; {
	case strings.HasSuffix(field, "push.device"):
		return step.Push.Device
	case strings.HasSuffix(field, "value"):
		return step.Push.Parameters["power"].Value
	case strings.HasSuffix(field, "x[0].y"):
		return "lvl"
	default:
		return "steps[0].status"
	}
}
