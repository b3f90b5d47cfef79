package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
)

// RulesPage is the list of rules.
type RulesPage struct {
	Now   time.Time
	Rules []api.Rule
	// Firings are counted by the hour, for rules that fired.
	Firings map[busbar.RuleID][]int
	Filters Form
	Pages   Pages
}

// RulePage is one rule.
type RulePage struct {
	Now      time.Time
	Rule     api.Rule
	Text     *rules.Rule
	YAML     string
	Versions []api.RuleVersion
	Runs     []api.Run
	// Shadows are what it would have sent, while it is in shadow.
	Shadows []Shadow
	Names   Names
	// Filters are those of the runs.
	Filters Form
	Once    string
}

// Shadow is a command that a rule in shadow would have sent, and what its device was told instead; nil when it was nothing.
type Shadow struct {
	Run     *api.Run
	Command *api.RunCommand
	Instead *api.Action
}

// agrees reports whether the device was told the same.
func (s *Shadow) agrees() bool {
	return s.Instead != nil && s.Instead.Command == s.Command.Command && parametersText(s.Instead.Parameters) == parametersText(s.Command.Parameters)
}

// insteadText is what the device was told, and when that was.
func (s *Shadow) insteadText() string {
	d := time.Time(s.Instead.CreatedAt).Sub(time.Time(s.Run.DecidedAt))
	when := " at the same time"
	if d.Abs() >= time.Second {
		when = " " + Span(d.Abs(), 1) + map[bool]string{true: " earlier", false: " later"}[d < 0]
	}
	return s.Instead.Command + quantitiesText(s.Instead.Parameters) + when
}

// VersionPage is one version of a rule.
type VersionPage struct {
	Now     time.Time
	Rule    api.Rule
	Version api.RuleVersionDetail
	// Since is what it changed, Restore what restoring it would change; nil when there is nothing to compare with.
	Since, Restore []DiffLine
	Once           string
}

func rulePath(f Frame, id busbar.RuleID, rest string) string {
	return f.At("/rules/" + url.PathEscape(string(id)) + rest)
}

func versionPath(f Frame, id busbar.RuleID, n int) string {
	return rulePath(f, id, "/versions/"+strconv.Itoa(n))
}

// modeTone is the colour and the sign of a mode.
func modeTone(r *api.Rule) (tone, icon, text string) {
	switch {
	case r.Paused != nil:
		return "bad", "pause", "paused"
	case r.Mode == rules.ModeActive:
		return "good", "check", string(r.Mode)
	case r.Mode == rules.ModeShadow:
		return "info", "moon", string(r.Mode)
	default:
		return "mute", "minus", string(r.Mode)
	}
}

// ModeSentence says what a mode means.
func ModeSentence(m rules.Mode) string {
	switch m {
	case rules.ModeActive:
		return "The rule is active: it acts when it fires."
	case rules.ModeShadow:
		return "The rule is in shadow: it decides, and sends nothing."
	case rules.ModeDisabled:
	}
	return "The rule is disabled: it is not asked."
}

func modeFilterOptions() []option {
	return []option{{"", "Any"}, {"active", "Active"}, {"shadow", "Shadow"}, {"disabled", "Disabled"}}
}

func sumOf(hours []int) int {
	n := 0
	for _, h := range hours {
		n += h
	}
	return n
}

// firingBars are the hours of a small chart.
func firingBars(hours []int) []rect {
	most := 1
	for _, n := range hours {
		most = max(most, n)
	}
	var out []rect
	step := sparkWidth / float64(max(1, len(hours)))
	for i, n := range hours {
		if n > 0 {
			h := max(3, (sparkHeight-2)*float64(n)/float64(most))
			out = append(out, rect{step*float64(i) + 0.5, sparkHeight - 1 - h, step - 1, h, "ok"})
		}
	}
	return out
}

// ruleTiming says in words when a rule fires, each in a sentence.
func ruleTiming(r *rules.Rule) []string {
	var list []string
	if r.Edge == rules.EdgeEvery {
		list = append(list, "It fires at every event at which the condition is true.")
	}
	if r.For > 0 {
		text := "The condition must stay true for " + Span(r.For, 2)
		if r.Grace > 0 {
			text += ", and may be unknown for " + Span(r.Grace, 2) + " meanwhile"
		}
		list = append(list, text+".")
	}
	if r.Cooldown > 0 {
		list = append(list, "After a firing it rests for "+Span(r.Cooldown, 2)+".")
	}
	if w := r.Window; w != nil {
		text := "Only from " + w.From + " to " + w.To
		if len(w.Days) > 0 {
			text += " on " + strings.Join(w.Days, ", ")
		}
		if w.Timezone == rules.SiteTimezone {
			text += ", on the site's clock"
		} else {
			text += ", on the clock of " + w.Timezone
		}
		list = append(list, text+".")
	}
	if len(r.SiteIDs) > 0 {
		list = append(list, "Only at "+strings.Join(r.SiteIDs, ", ")+".")
	}
	return list
}

// DiffLine is a line of two texts that are compared.
type DiffLine struct {
	// Sign is + for what is new, - for what is gone, and a space for what is the same.
	Sign byte
	Text string
}

func (d DiffLine) class() string {
	switch d.Sign {
	case '+':
		return "added"
	case '-':
		return "removed"
	default:
		return ""
	}
}

// RuleDiff compares two versions of a rule as YAML, in their canonical form: how they are laid out makes no difference.
func RuleDiff(before, after json.RawMessage) ([]DiffLine, error) {
	var texts [2][]string
	for i, raw := range []json.RawMessage{before, after} {
		rule, err := rules.ParseJSON(raw)
		if err != nil {
			return nil, fmt.Errorf("read version of rule: %w", err)
		}
		text, err := rule.YAML()
		if err != nil {
			return nil, fmt.Errorf("write version of rule: %w", err)
		}
		texts[i] = strings.Split(string(bytes.TrimSpace(text)), "\n")
	}
	return diff(texts[0], texts[1]), nil
}

// maxDiff bounds the table that a comparison makes: a rule has at most 64 KiB.
const maxDiff = 4_000_000

// diff keeps as many lines as it can. Texts that are too long to compare are shown one after the other.
func diff(before, after []string) []DiffLine {
	var lines []DiffLine
	all := func(sign byte, texts []string) {
		for _, text := range texts {
			lines = append(lines, DiffLine{sign, text})
		}
	}
	if len(before)*len(after) > maxDiff {
		all('-', before)
		all('+', after)
		return lines
	}
	// common[i][j] is how many lines the rests from i and from j can keep.
	common := make([][]int, len(before)+1)
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i, gone := range slices.Backward(before) {
		for j, added := range slices.Backward(after) {
			if gone == added {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(before) && j < len(after) {
		switch {
		case before[i] == after[j]:
			lines = append(lines, DiffLine{' ', before[i]})
			i++
			j++
		case common[i+1][j] >= common[i][j+1]:
			lines = append(lines, DiffLine{'-', before[i]})
			i++
		default:
			lines = append(lines, DiffLine{'+', after[j]})
			j++
		}
	}
	all('-', before[i:])
	all('+', after[j:])
	return lines
}

// same reports whether nothing differs.
func same(lines []DiffLine) bool {
	for _, l := range lines {
		if l.Sign != ' ' {
			return false
		}
	}
	return true
}
