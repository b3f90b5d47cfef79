package view

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// listOf says what the deliveries of a list have in common, which need not be said in each row.
type listOf int

const (
	ofAll listOf = iota
	ofEvent
	ofEndpoint
)

// DeliveriesPage is a list of deliveries.
type DeliveriesPage struct {
	Now        time.Time
	Deliveries []api.Delivery
	Endpoints  []api.Endpoint
	Filters    Form
	Pages      Pages
}

// DeliveryPage is one delivery with its attempts.
type DeliveryPage struct {
	Now      time.Time
	Delivery api.DeliveryDetail
	// Endpoint is nil when it was deleted.
	Endpoint *api.Endpoint
	// Body is what is sent; nil when the event or the endpoint is gone.
	Body     []byte
	Temporal *string
}

func (p DeliveryPage) open() bool {
	return p.Delivery.Status == busbar.DeliveryPending || p.Delivery.Status == busbar.DeliveryParked
}

// newestFirst are the attempts as they are read.
func (p DeliveryPage) newestFirst() []api.Attempt {
	list := slices.Clone(p.Delivery.Attempts)
	slices.Reverse(list)
	return list
}

// signed is the text whose signature an attempt carried.
func (p DeliveryPage) signed(a *api.Attempt) string {
	id, at := first(a.RequestHeaders, "Webhook-Id"), first(a.RequestHeaders, "Webhook-Timestamp")
	if p.Body == nil || id == "" || at == "" {
		return ""
	}
	return id + "." + at + "." + string(p.Body)
}

func first(headers map[string][]string, name string) string {
	for key, values := range headers {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// headerText lists headers by name.
func headerText(headers map[string][]string) string {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		for _, value := range headers[name] {
			b.WriteString(strings.ToLower(name) + ": " + value + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// wave is one stretch of an attempt's time.
type wave struct {
	class, label string
	ms           float64
	x, w         float64
}

// waterfall lays out where the time of an attempt went.
func waterfall(t api.Timing, total float64) []wave {
	whole := max(total, t.TotalMs, 0.001)
	wait := max(0, t.FirstByteMs-t.DNSMs-t.ConnectMs-t.TLSMs)
	read := max(0, whole-t.DNSMs-t.ConnectMs-t.TLSMs-wait)
	if t.FirstByteMs == 0 {
		wait, read = max(0, whole-t.DNSMs-t.ConnectMs-t.TLSMs), 0
	}
	var out []wave
	at := 0.0
	for _, part := range []wave{
		{class: "dns", label: "Name look-up", ms: t.DNSMs},
		{class: "connect", label: "Connect", ms: t.ConnectMs},
		{class: "tls", label: "TLS", ms: t.TLSMs},
		{class: "wait", label: "Wait for the answer", ms: wait},
		{class: "read", label: "Read the answer", ms: read},
	} {
		if part.ms <= 0 {
			continue
		}
		part.x, part.w = at, max(2, part.ms/whole*600)
		at += part.ms / whole * 600
		out = append(out, part)
	}
	return out
}

// isJSON reports whether a body can be shown as JSON.
func isJSON(body string) bool {
	return strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "{") && json.Valid([]byte(body))
}

func statusOptions() []option {
	options := []option{{"", "Any"}}
	for _, s := range Statuses() {
		options = append(options, option{string(s), Sentence(string(s))})
	}
	return options
}

func endpointOptions(list []api.Endpoint) []option {
	options := []option{{"", "Any"}}
	for i := range list {
		options = append(options, option{string(list[i].ID), Short(Plain(endpointName(&list[i])), 60)})
	}
	return options
}

func deliveryPath(f Frame, id busbar.DeliveryID) string {
	return f.At("/deliveries/" + url.PathEscape(string(id)))
}
