package rules_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"busbar"
	"busbar/rules"
)

// TestAtMostOneFiringForEachRise plays random levels, some of them twice: a rule with an edge fires only when its condition
// rose since it was armed, whatever comes again.
func TestAtMostOneFiringForEachRise(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		rule := &rules.Standing{Compiled: compiled(t, "rearm: state.level < 95"), ID: "rule_1", Version: 1, Keys: map[string]rules.EdgeState{}}
		at, previous := noon, any(90.0)
		armed, fired, number := true, 0, int64(0)
		for i := range 100 {
			level := any(float64(90 + r.IntN(11)))
			if r.IntN(10) == 0 {
				level = nil
			}
			at = at.Add(time.Duration(r.IntN(60)) * time.Second)
			expect := false
			if n, known := level.(float64); known {
				armed = armed || n < 95
				expect = armed && n >= 99
				armed = armed && n < 99
			}
			for range 1 + r.IntN(2) { // the same again must change nothing
				s, e := moment(t, situation{level: level, previous: previous})
				e.ID, e.Timestamp, e.ReceivedAt = busbar.EventID(fmt.Sprintf("evt_%d", i)), at, at
				for _, d := range s.Devices {
					for name := range d.Announced {
						d.ObservedAt[name] = at
					}
				}
				s.Rules = []*rules.Standing{rule}
				runs, err := rules.Decide(s, e, false)
				if err != nil {
					t.Fatal(err)
				}
				rule.Keys[runs[0].Key] = runs[0].After
				if got := runs[0].Decision == rules.DecisionFired; got != expect {
					t.Fatalf("seed %d, event %d, level %v: %s, but armed %v", seed, i, level, runs[0].Decision, armed)
				}
				if expect {
					if fired++; runs[0].Firing.Number != number+1 {
						t.Fatalf("seed %d, event %d: firing %d after %d", seed, i, runs[0].Firing.Number, number)
					}
					number++
				}
				expect, previous = false, level
			}
		}
	}
}

// FuzzRule reads whatever comes as a rule, in both forms, and plays its tests.
func FuzzRule(f *testing.F) {
	f.Add(example)
	library, err := rules.Library()
	if err != nil {
		f.Fatal(err)
	}
	for _, l := range library {
		f.Add(l.YAML)
		text, err := json.Marshal(l.Rule)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func([]byte) (*rules.Rule, error){rules.ParseYAML, rules.ParseJSON} {
			rule, err := parse([]byte(text))
			if err != nil {
				continue
			}
			c, _ := rules.Check(rule)
			if c != nil {
				c.RunTests()
			}
			written, err := rule.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again, err := rules.ParseYAML(written)
			if err != nil {
				t.Fatalf("%v\n%s", err, written)
			}
			if a, b := toJSON(t, rule), toJSON(t, again); a != b {
				t.Errorf("written and read again\n%s\nis\n%s", a, b)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	rule, err := rules.ParseYAML([]byte(example))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := rules.Compile(rule); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecide is one event that 1,000 rules are asked at: none of them fires, or each does.
func BenchmarkDecide(b *testing.B) {
	c := compiled(b)
	for name, level := range map[string]float64{"none fires": 98, "all fire": 100} {
		b.Run(name, func(b *testing.B) {
			s, e := moment(b, situation{level: level, previous: 97.0})
			for i := range 1000 {
				s.Rules = append(s.Rules, &rules.Standing{Compiled: c, ID: fmt.Sprintf("rule_%d", i), Version: 1, Keys: map[string]rules.EdgeState{"device:dev_battery": {Version: 1}}})
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Decide(s, e, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompiledSize is how much memory a rule with every field takes while it is kept compiled.
func BenchmarkCompiledSize(b *testing.B) {
	rule, err := rules.ParseYAML([]byte(example))
	if err != nil {
		b.Fatal(err)
	}
	kept := make([]*rules.Compiled, 1000)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		clear(kept)
		before := heap()
		for i := range kept {
			if kept[i], err = rules.Compile(rule); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/float64(len(kept)), "bytes/rule")
	}
	runtime.KeepAlive(kept)
}
