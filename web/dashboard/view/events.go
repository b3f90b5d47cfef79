package view

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"busbar/web/api"
)

// Pages are the addresses of other pages of a list; empty when there are none.
type Pages struct{ First, Next string }

// EventsPage is a list of events.
type EventsPage struct {
	Now     time.Time
	Events  []api.Event
	Types   []string
	Filters Form
	Pages   Pages
}

// EventPage is one event with what came of it.
type EventPage struct {
	Now       time.Time
	Event     api.EventDetail
	Graph     Graph
	Endpoints []api.Endpoint
	// Names are those of what the runs are about.
	Names Names
}

// curl is the event as a request that makes another like it.
func (p EventPage) curl(f Frame) string {
	body := map[string]any{"type": p.Event.Type, "data": p.Event.Data}
	if p.Event.DeviceID != "" {
		body["deviceId"] = p.Event.DeviceID
	}
	text, err := json.Marshal(body)
	if err != nil {
		return ""
	}
	return "curl " + f.PublicURL + "/v1/events -H \"x-api-key: $KEY\" \\\n  -d " + shellQuote(string(unescapeHTML(text)))
}

// shellQuote makes one word of a text for a shell.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// previewed is how much of an event's data is read for a line.
const previewed = 4 << 10

// preview is the data of an event in a line, without what has a column of its own, or what was before.
func preview(data json.RawMessage) string {
	var fields map[string]json.RawMessage
	if len(data) <= previewed && json.Unmarshal(data, &fields) == nil {
		for _, name := range []string{"deviceId", "deviceType", "timestamp", "previous"} {
			delete(fields, name)
		}
		if len(fields) == 0 {
			return ""
		}
		if short, err := json.Marshal(fields); err == nil {
			data = unescapeHTML(short)
		}
	}
	return Plain(Short(string(data[:min(len(data), 400)]), 120))
}

func eventPath(f Frame, id string) string { return f.At("/events/" + url.PathEscape(id)) }

func lastOptions() []option {
	return []option{{"", "Any time"}, {"15m", "Last 15 minutes"}, {"1h", "Last hour"}, {"24h", "Last 24 hours"}, {"168h", "Last 7 days"}}
}
