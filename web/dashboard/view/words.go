package view

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"busbar"
)

// Ago says how long ago a time was, in one unit.
func Ago(now, t time.Time) string {
	d := now.Sub(t)
	if d < 5*time.Second {
		return "just now"
	}
	return Span(d, 1) + " ago"
}

// In says how long it is until a time.
func In(now, t time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return "in " + Span(t.Sub(now), 2)
}

// Span is a duration in at most so many units, as `2 h 5 min`.
func Span(d time.Duration, most int) string {
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	var parts []string
	for _, u := range units {
		if n := d / u.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			d %= u.size
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == most {
			break
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}

// spanText is a duration such as 15m0s as people say it.
func spanText(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		return text
	}
	return Span(d, 2)
}

// stamp is a time for machines.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// exact is a time for people who compare it with others.
func exact(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// Count writes a number with thin spaces, so that long ones can be read.
func Count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// UpTo writes a number that was counted up to a bound only.
func UpTo(n, most int) string {
	if n >= most {
		return Count(most) + "+"
	}
	return Count(n)
}

// Milliseconds writes a duration that was measured.
func Milliseconds(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.3g ms", math.Round(ms*100)/100)
	}
}

// Percent of a whole; an en dash when there is none.
func Percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	// Never 100 % of what is not all.
	tenths := part * 1000 / whole
	if tenths%10 == 0 {
		return fmt.Sprintf("%d\u202f%%", tenths/10)
	}
	return fmt.Sprintf("%.1f\u202f%%", float64(tenths)/10)
}

// Plural puts a number before a word.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Plain makes text from strangers readable: what would be invisible, or would turn the direction of writing, is shown as
// its code.
func Plain(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) ||
		unicode.Is(unicode.Zp, r) || r == '\u200b' || r == '\u2060' || r == '\ufeff' || r == '\u00ad')
}

// Short cuts a text for a line.
func Short(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// Tone is the colour of a delivery's status.
func Tone(s busbar.DeliveryStatus) string {
	switch s {
	case busbar.DeliveryDelivered:
		return "good"
	case busbar.DeliveryPending:
		return "info"
	case busbar.DeliveryParked:
		return "warn"
	case busbar.DeliveryFailed:
		return "bad"
	case busbar.DeliveryCancelled:
	}
	return "mute"
}

func statusIcon(s busbar.DeliveryStatus) string {
	switch s {
	case busbar.DeliveryDelivered:
		return "check"
	case busbar.DeliveryPending:
		return "clock"
	case busbar.DeliveryParked:
		return "pause"
	case busbar.DeliveryFailed:
		return "cross"
	case busbar.DeliveryCancelled:
	}
	return "minus"
}

// codeTone is the colour of a status code.
func codeTone(code int) string {
	if code >= 200 && code < 300 {
		return "good"
	}
	return "bad"
}

// Limits of what a page shows of one JSON value: deeper is not indented, longer is cut.
const (
	maxDepth = 40
	maxShown = 48 << 10
)

// Indent writes JSON for people. What is too deep stays as it is, what is too long is cut.
func Indent(raw json.RawMessage) (text string, cut bool) {
	if depth(raw) <= maxDepth {
		if out, err := json.MarshalIndent(raw, "", "  "); err == nil {
			raw = unescapeHTML(out)
		}
	}
	if len(raw) > maxShown {
		return strings.ToValidUTF8(string(raw[:maxShown]), ""), true
	}
	return string(raw), false
}

// unescapeHTML takes back what the JSON encoder escapes for pages without an escaper of their own.
func unescapeHTML(b []byte) []byte {
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b)))
}

func depth(raw []byte) int {
	now, most, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}

// token is a piece of JSON with the class that colours it.
type token struct{ class, text string }

// tokens takes JSON apart for colouring. It does not mind JSON that was cut.
func tokens(text string) []token {
	var list []token
	add := func(class, text string) {
		if n := len(list); n > 0 && list[n-1].class == class {
			list[n-1].text += text
			return
		}
		list = append(list, token{class, text})
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end := i + 1
			for end < len(text) && text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(text))
			class := "str"
			if rest := strings.TrimLeft(text[end:], " "); strings.HasPrefix(rest, ":") {
				class = "key"
			}
			add(class, Plain(text[i:end]))
			i = end
		case strings.IndexByte("{}[],: \n\t\r", c) >= 0:
			add("", text[i:i+1])
			i++
		default:
			end := i
			for end < len(text) && strings.IndexByte("{}[],: \n\t\r\"", text[end]) < 0 {
				end++
			}
			add("val", Plain(text[i:end]))
			i = end
		}
	}
	return list
}
