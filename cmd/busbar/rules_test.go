package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The program is only reachable from inside of its package.
func TestRulesAsFiles(t *testing.T) {
	t.Parallel()
	const good = "name: x\non: [device.updated]\ndeviceType: battery\nif: state.level >= 99\nthen: [{push: {device: device, command: idle}}]\n"
	const tests = "tests: [{name: full, given: [{device: battery, state: {level: 100}}], expect: [{push: {command: idle}}]}]\n"
	for name, c := range map[string]struct {
		command, file, text string
		code                int
		want                []string
	}{
		"good": {command: "check", file: "a.yaml", text: good, want: []string{"a.yaml: ok"}},
		"as JSON": {
			command: "check", file: "a.json", want: []string{"a.json: ok"},
			text: `{"name":"x","on":["device.updated"],"if":"device.connected","then":[{"emit":{"type":"a.b"}}]}`,
		},
		"a warning is no problem": {
			command: "check", file: "a.yaml", text: strings.Replace(good, ">= 99", "== 99", 1),
			want: []string{"a.yaml: if [0:17]: warning: state.level is measured", "a.yaml: ok"},
		},
		"two problems": {
			command: "check", file: "a.yaml", text: strings.Replace(good, "state.level", "state.lvl > 1 and foo", 1), code: 1,
			want: []string{"a.yaml: if [6:9]: the state of a battery has no lvl; did you mean level?", "a.yaml: if [18:21]: unknown name foo", "busbar: 1 file has problems"},
		},
		"unknown fields": {command: "check", file: "a.yaml", text: good + "iff: x\nzen: y\n", code: 1, want: []string{"a.yaml: iff: there is no field", "a.yaml: zen: there is no field"}},
		"no YAML":        {command: "check", file: "a.yaml", text: "a: [", code: 1, want: []string{"a.yaml: this is not YAML"}},
		"tests pass":     {command: "test", file: "a.yaml", text: good + tests, want: []string{"a.yaml: ok, tests passed: 1"}},
		"a test fails": {
			command: "test", file: "a.yaml", text: good + strings.Replace(tests, "command: idle", "command: charge", 1), code: 1,
			want: []string{`a.yaml: test "full": expect[0]: the command was idle, not charge; what happened: +0s rule1 fired, +0s rule1 push dev_battery idle`},
		},
		"a file that is too long": {command: "check", file: "a.yaml", text: strings.Repeat("#", 70_000), code: 1, want: []string{"and at most 65536 are taken"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			code := run(t.Context(), []string{"rules", c.command, path}, &out, &out)
			if code != c.code {
				t.Errorf("exit code %d\n%s", code, &out)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
		})
	}
}

func TestRulesWithoutTheirFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if code := run(t.Context(), []string{"rules", "check", filepath.Join(t.TempDir(), "none.yaml")}, &out, &out); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(out.String(), "none.yaml: no such file or directory") {
		t.Errorf("%s", &out)
	}
}
