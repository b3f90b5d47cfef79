package rules_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/rules"
)

// crowd is a site with as many devices as one may have.
func crowd(t *testing.T) *rules.Input {
	t.Helper()
	in := home(t)
	in.Devices = nil
	for i := range busbar.MaxDevicesPerSite {
		in.Devices = append(in.Devices, &busbar.Device{
			ID: busbar.DeviceID(fmt.Sprintf("dev_%03d", i)), Family: busbar.Battery, StaleAfter: time.Hour,
			Announced: busbar.State{"level": float64(i % 100)}, ObservedAt: map[string]time.Time{"level": noon},
		})
	}
	return in
}

// TestHostileExpressions ends each in an error that names the limit, before it is run or while it is.
func TestHostileExpressions(t *testing.T) {
	t.Parallel()
	chained := "1"
	for range 40 {
		chained = "(0 < " + chained + " < 9 ? 1 : 2)"
	}
	doubled := strings.Repeat("let a = \"xxxxxxxxxxxxxxxx\"; ", 1)
	for i := range 30 {
		doubled += fmt.Sprintf("let a%d = %s + %s; ", i, previousName(i), previousName(i))
	}
	for name, c := range map[string]struct{ source, want string }{
		"three nested loops over all devices": {
			"any(site.batteries, count(site.batteries, sum(site.batteries, .state.level) > 1e6) > 0)", "the limit of steps",
		},
		"a loop inside a sort":            {"len(sortBy(site.batteries, sum(site.batteries, .state.level))) > 0 and len(sortBy(site.batteries, sum(site.batteries, .state.level) + sum(site.batteries, .state.level))) > 0", "the limit of steps"},
		"text that doubles":               {doubled + "len(a29) > 0", "the limit of memory"},
		"a list of everything":            {"len(1..9999999999) > 0", "the limit of memory"},
		"a list too long for a predicate": {"any(1..20000, # < 0)", "the limit of elements"},
		"lists in lists":                  {"len(map(1..1000, 1..1000)) > 0", "the limit of memory"},
		"five million brackets":           {strings.Repeat("(", 5_000_000), "the limit of source"},
		"a few thousand brackets":         {strings.Repeat("(", 4_000), "the limit of nesting"},
		"brackets of every kind":          {strings.Repeat("[{(", 100), "the limit of nesting"},
		"a few thousand nots":             {strings.Repeat("!", 4_000) + "true", "the limit of nodes"},
		"a few thousand minuses":          {strings.Repeat("-", 4_000) + "1 > 0", "the limit of nodes"},
		"too many nodes":                  {"1" + strings.Repeat("+1", 200) + " > 0", "the limit of nodes"},
		"comparisons in comparisons":      {chained + " > 0", "the limit of"},
		"a long source":                   {strings.Repeat(" ", 5_000) + "true", "the limit of source"},
		"a pattern that repeats":          {`"x" matches "(x{30}){30}|(y{30}){30}"`, "parts when its repetitions are written out"},
		"a pattern that repeats more":     {`"x" matches "((x{30}){30}){30}"`, "no regular expression"},
		"a long pattern":                  {`"x" matches "` + strings.Repeat("x", 300) + `"`, "the limit is 256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			got, diagnostics := rules.Evaluate(c.source, busbar.Battery, crowd(t))
			text := fmt.Sprintf("%v %v", diagnostics, got.Err)
			if !strings.Contains(text, c.want) {
				t.Errorf("got %.300s, want %q", text, c.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func previousName(i int) string {
	if i == 0 {
		return "a"
	}
	return fmt.Sprintf("a%d", i-1)
}

func TestLongDataCostsSteps(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(map[string]any{"text": strings.Repeat("ab", 100_000)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := rules.CompileFilter(`data.text matches "(a|b|ab|ba)*c" and data.text matches "(a?b?)*d"`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Match("x", data); err == nil || !strings.Contains(err.Error(), "the limit of steps") {
		t.Errorf("error %v, want the limit of steps", err)
	}
}

func TestStepsAreSharedByRules(t *testing.T) {
	t.Parallel()
	for matching, want := range map[int]int{0: 100_000, 1: 100_000, 20: 100_000, 21: 95_238, 1000: 2_000, 2000: 1_000, 5000: 1_000} {
		if got := rules.Steps(matching); got != want {
			t.Errorf("Steps(%d) = %d, want %d", matching, got, want)
		}
	}
}

// FuzzExpression compiles and evaluates whatever comes, and watches that it neither panics, nor hangs, nor takes memory
// out of proportion, nor gives two answers.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"state.level >= 99", "find(site.evChargers, .state.isConnected)", "a < b < c", `"x" matches "("`, "let x = 1; x + 1", "[1,2][1:]",
		"any(site.batteries, count(site.evChargers, .id > .name) > #index)", "now - sunset() > duration(\"1h\")", "1..10 | map(# ** 2) | sum()",
		`event.data.list[0] ?? "ü"`, "if true { 1 } else { 2 }", "{a: 1}.a", "not true", "state?.level ?? 1", "-5 in -9..9", "#", ".x", "::len([1])",
		`b"x"`, "0x1F + 0b1 + 0o7 + 1_000", "1;2", "state.level.x", "site.meter()", "fresh(state.level, \"1m\")", "crossedUp(state.level, 5)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		in := home(t)
		in.Data = map[string]any{"list": []any{1.0, "x", nil}, "text": strings.Repeat("x", 1000)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		first, diagnostics := rules.Evaluate(source, busbar.Battery, in)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
			t.Errorf("made %d MiB", grown>>20)
		}
		length := len([]rune(source))
		for _, d := range diagnostics {
			if d.From < 0 || d.To < d.From || d.To > length || d.Message == "" {
				t.Errorf("diagnostic %+v of a source of %d characters", d, length)
			}
		}
		second, _ := rules.Evaluate(source, busbar.Battery, in)
		if a, b := fmt.Sprint(first), fmt.Sprint(second); a != b {
			t.Errorf("gave %s, then %s", a, b)
		}
	})
}
