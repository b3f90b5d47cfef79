package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"busbar"
)

// decoder reads a tree, and goes on after a mistake so that all are told at once.
type decoder struct {
	wrong, unknown []busbar.FieldError
}

func (d *decoder) fail(path, code, format string, args ...any) {
	d.wrong = append(d.wrong, busbar.FieldError{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
}

// missing tells of a field that is not there, unless something is wrong with what is.
func (d *decoder) missing(path, message string) {
	if !slices.ContainsFunc(d.wrong, func(f busbar.FieldError) bool { return f.Path == path }) {
		d.fail(path, "required", "%s", message)
	}
}

// err gives what was wrong: an UNKNOWN_FIELD when there is a field of no known name.
func (d *decoder) err() error {
	if len(d.unknown) > 0 {
		return &busbar.Error{
			Code: busbar.CodeUnknownField, Message: d.unknown[0].Path + ": " + d.unknown[0].Message, Fields: slices.Concat(d.unknown, d.wrong),
		}
	}
	return busbar.InvalidFields(d.wrong)
}

// fields is an object whose names are taken one by one; what is left over is unknown.
type fields struct {
	*decoder
	path  string
	left  map[string]any
	names []string
}

// object begins reading an object.
func (d *decoder) object(path string, v any) *fields {
	m, ok := v.(map[string]any)
	if !ok {
		d.fail(path, "type", "must be an object, not %s", kindOf(v))
	}
	return &fields{decoder: d, path: path, left: maps.Clone(m)}
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

func (f *fields) at(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "." + name
}

// take gives a field; null is as good as absent.
func (f *fields) take(name string) (any, bool) {
	f.names = append(f.names, name)
	v, ok := f.left[name]
	delete(f.left, name)
	return v, ok && v != nil
}

// end tells what is left over.
func (f *fields) end() {
	for _, name := range slices.Sorted(maps.Keys(f.left)) {
		wrong := busbar.FieldError{Path: f.at(name), Code: "unknown_field", Message: "there is no field of this name" + suggest(name, f.names)}
		if strings.ContainsFunc(name, notOfAName) {
			// What is left of an expression that YAML has cut up.
			wrong.Path = fmt.Sprintf("%s[%q]", f.path, name)
			wrong.Message += "; an expression with a comma or a colon in braces needs quotes"
		}
		f.unknown = append(f.unknown, wrong)
	}
}

func notOfAName(r rune) bool {
	return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

func (f *fields) text(name string) string {
	v, ok := f.take(name)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		f.fail(f.at(name), "type", "must be a string, not %s", kindOf(v))
	}
	return s
}

// expression is a text, or a boolean or a number that stands for itself.
func (f *fields) expression(name string) string {
	v, ok := f.take(name)
	if !ok {
		return ""
	}
	switch v := v.(type) {
	case string:
		if v == "" {
			f.fail(f.at(name), "empty", "the expression is empty")
		}
		return v
	case bool:
		return fmt.Sprint(v)
	case float64:
		return formatNumber(v)
	default:
		f.fail(f.at(name), "type", "must be an expression, not %s", kindOf(v))
		return ""
	}
}

func (f *fields) texts(name string, most int) []string {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) > most {
		f.fail(f.at(name), "type", "must be an array of at most %d strings", most)
		return nil
	}
	texts := make([]string, 0, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			f.fail(fmt.Sprintf("%s[%d]", f.at(name), i), "type", "must be a string, not %s", kindOf(item))
			continue
		}
		texts = append(texts, s)
	}
	return texts
}

// duration is a Go duration from a lowest to a highest.
func (f *fields) duration(name string, lowest, highest, absent time.Duration) time.Duration {
	text := f.text(name)
	if text == "" {
		return absent
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		f.fail(f.at(name), "format", "%q is not a duration such as 30s, 10m or 1h30m", text)
	case d < lowest || d > highest:
		f.fail(f.at(name), "out_of_range", "must be from %s to %s", short(lowest), short(highest))
	}
	return d
}

func (f *fields) whole(name string, lowest, highest, absent int) int {
	v, ok := f.take(name)
	if !ok {
		return absent
	}
	n, ok := v.(float64)
	if !ok || n != float64(int(n)) || int(n) < lowest || int(n) > highest {
		f.fail(f.at(name), "out_of_range", "must be a whole number from %d to %d", lowest, highest)
		return absent
	}
	return int(n)
}

// list reads an array, each item with a function that gets its path.
func list[T any](f *fields, name string, most int, read func(path string, v any) T) []T {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	items, ok := v.([]any)
	if !ok || len(items) > most {
		f.fail(f.at(name), "type", "must be an array of at most %d", most)
		return nil
	}
	all := make([]T, len(items))
	for i, item := range items {
		all[i] = read(fmt.Sprintf("%s[%d]", f.at(name), i), item)
	}
	return all
}

// choice reads one of a closed set.
func choice[T ~string](f *fields, name string, absent T, parse func(string) (T, error)) T {
	text := f.text(name)
	if text == "" {
		return absent
	}
	v, err := parse(text)
	if err != nil {
		f.fail(f.at(name), "enum", "%v", err)
	}
	return v
}

// wholeRule is the path of a mistake that is about no single field.
const wholeRule = "body"

func decodeRule(tree any) (*Rule, error) {
	if _, ok := tree.(map[string]any); !ok {
		return nil, busbar.Invalid(wholeRule, "type", "must be an object, not %s", kindOf(tree))
	}
	d := &decoder{}
	f := d.object("", tree)
	r := &Rule{
		Name: f.text("name"), ID: f.text("id"),
		Mode: choice(f, "mode", ModeActive, ParseMode), On: f.texts("on", MaxOn),
		DeviceType: choice(f, "deviceType", "", busbar.ParseFamily), SiteIDs: f.texts("siteIds", MaxSiteIDs),
		Scope: choice(f, "scope", "", ParseScope), If: f.expression("if"), Edge: choice(f, "edge", EdgeRising, ParseEdge),
		Rearm: f.expression("rearm"), For: f.duration("for", time.Second, MaxFor, 0), Grace: f.duration("grace", 0, MaxFor, 0),
		Cooldown: f.duration("cooldown", 0, MaxCooldown, 0), ActWithin: f.duration("actWithin", time.Second, MaxActWithin, DefaultActWithin),
		Priority: f.whole("priority", 0, MaxPriority, DefaultPriority),
		Then:     list(f, "then", MaxRuleSteps, d.step), ElseFailed: list(f, "else_failed", MaxRuleSteps, d.step),
		Tests: list(f, "tests", MaxTests, d.test),
	}
	if w, ok := f.take("window"); ok {
		r.Window = d.window(f.at("window"), w)
	}
	f.end()
	d.require(r)
	if err := d.err(); err != nil {
		return nil, err
	}
	return r, nil
}

// require holds what a rule must have, and what goes together.
func (d *decoder) require(r *Rule) {
	switch n := utf8.RuneCountInString(r.Name); {
	case strings.TrimSpace(r.Name) == "":
		d.missing("name", "is missing")
	case n > MaxNameRunes:
		d.fail("name", "too_long", "has %d characters, and at most %d are taken", n, MaxNameRunes)
	}
	if r.ID != "" && !busbar.ValidID(r.ID) {
		d.fail("id", "format", "must be 1 to 64 of A-Z, a-z, 0-9, _ and -")
	}
	if len(r.On) == 0 {
		d.missing("on", "is missing: it lists the event types that the rule is asked at")
	}
	for i, pattern := range r.On {
		if !validPattern(pattern) {
			d.fail(fmt.Sprintf("on[%d]", i), "format", "%q is neither the name of an event type nor the beginning of names and a star, as push.*", pattern)
		}
	}
	if r.If == "" {
		d.missing("if", "is missing")
	}
	if len(r.Then) == 0 {
		d.missing("then", "is missing: a rule has at least one step")
	}
	if r.Edge == EdgeEvery {
		if r.Rearm != "" {
			d.fail("rearm", "forbidden", "edge: every has no edge, so that nothing can be re-armed")
		}
		if r.For != 0 {
			d.fail("for", "forbidden", "edge: every has no edge that could be held")
		}
	}
	if r.Grace > 0 && r.For == 0 {
		d.fail("grace", "forbidden", "is about a hold, and there is no for")
	}
	if r.Scope == ScopeDevice && r.DeviceType == "" && !slices.ContainsFunc(r.On, aboutDevices) {
		d.fail("scope", "forbidden", "device needs events of devices")
	}
}

func aboutDevices(pattern string) bool { return pattern == "*" || !busbar.Operational(pattern) }

// validPattern reports whether it is a type's name, or the beginning of names and a star.
func validPattern(p string) bool {
	if p == "*" {
		return true
	}
	return busbar.ValidTypeName(strings.TrimSuffix(p, ".*"))
}

// matches reports whether a pattern is about a type. Operational events reach only who names them.
func matches(pattern, eventType string) bool {
	switch prefix, star := strings.CutSuffix(pattern, "*"); {
	case !star:
		return pattern == eventType
	case prefix == "":
		return !busbar.Operational(eventType)
	default:
		return strings.HasPrefix(eventType, prefix)
	}
}

func (d *decoder) window(path string, v any) *WindowSpec {
	f := d.object(path, v)
	w := &WindowSpec{From: f.text("from"), To: f.text("to"), Days: f.texts("days", len(weekdays)), Timezone: f.text("timezone")}
	f.end()
	if f.left == nil {
		return nil
	}
	for _, end := range []struct{ name, text string }{{"from", w.From}, {"to", w.To}} {
		if _, err := parseClock(end.text); err != nil {
			d.fail(f.at(end.name), "format", "%v", err)
		}
	}
	if _, err := parseClock(w.To); err == nil && w.From == w.To {
		d.fail(f.at("to"), "equal", "a window that ends when it begins is empty")
	}
	for i, day := range w.Days {
		if !slices.Contains(weekdays, day) {
			d.fail(fmt.Sprintf("%s[%d]", f.at("days"), i), "enum", "%q is none of mon, tue, wed, thu, fri, sat, sun", day)
		}
	}
	if w.Timezone == "" {
		w.Timezone = SiteTimezone
	}
	if w.Timezone != SiteTimezone {
		if _, err := time.LoadLocation(w.Timezone); err != nil || w.Timezone == "Local" {
			d.fail(f.at("timezone"), "format", "%q is neither %q nor an IANA time zone such as Europe/Berlin", w.Timezone, SiteTimezone)
		}
	}
	return w
}

// short writes a duration without what is zero: 10m, not 10m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
