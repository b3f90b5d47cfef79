package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/intake"
	"busbar/web"
	"busbar/web/api"
)

var milliseconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

func TestEventIsReadableAtOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{retention: 7 * 24 * time.Hour})
	endpoint, _ := a.createEndpoint(plainEndpoint)
	got := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events",
		`{"eventId":"e1","type":"device.updated","deviceId":"dev_1","timestamp":"2026-06-01T12:30:00.100999+02:00","data": {"state": {"level": 1.50}} }`)
	if diff := cmp.Diff(object{"eventId": "e1", "status": "accepted", "workflowId": "event-sandbox-e1"}, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	body := a.send(http.MethodGet, "/v1/events/e1", "")
	if !strings.Contains(body.Body, `"data":{"state":{"level":1.50}}`) {
		t.Errorf("data was rewritten: %s", body.Body)
	}
	var event object
	must(t, json.Unmarshal(body.Data, &event))
	if !milliseconds.MatchString(event["receivedAt"].(string)) || !milliseconds.MatchString(body.Meta.Timestamp) {
		t.Errorf("times: %v, %v", event["receivedAt"], body.Meta.Timestamp)
	}
	deliveries := event["deliveries"].([]any)
	if len(deliveries) != 1 || deliveries[0].(object)["endpointId"] != endpoint || deliveries[0].(object)["status"] != "pending" {
		t.Errorf("deliveries: %v", deliveries)
	}
	delete(event, "receivedAt")
	delete(event, "deliveries")
	wanted := object{
		"id": "e1", "type": "device.updated", "deviceId": "dev_1", "timestamp": "2026-06-01T10:30:00.100Z",
		"data": object{"state": object{"level": 1.5}}, "flags": []any{"unknown_device"}, "runs": []any{},
		"causation": object{"rootEventId": "e1", "parentId": nil, "depth": 0.0, "inferred": false},
		"temporal":  object{"workflowId": "event-sandbox-e1", "runId": nil, "url": "http://temporal.example/event-sandbox-e1"},
	}
	if diff := cmp.Diff(wanted, event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	a.advance(8 * 24 * time.Hour)
	if later := want[object](a, http.StatusOK, http.MethodGet, "/v1/events/e1", ""); later["temporal"].(object)["url"] != nil {
		t.Errorf("link after Temporal's retention: %v", later["temporal"])
	}
}

func TestSameEventAgainIsADuplicate(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	const body = `{"eventId":"e1","type":"device.connected","timestamp":"2026-06-01T10:30:00Z","data":{"a":1,"b":2}}`
	first := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", body)
	again := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", body)
	if first["status"] != "accepted" || again["status"] != "duplicate" || again["eventId"] != "e1" {
		t.Errorf("first %v, again %v", first, again)
	}
	if n := len(a.items("/v1/events")); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestBatchAnswersEachInItsPlace(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	got := want[[]api.AcceptedEvent](a, http.StatusAccepted, http.MethodPost, "/v1/events", `[
		{"eventId":"a","type":"device.connected","data":{}},
		{"type":"no.such","data":{}},
		7,
		{"eventId":"b","type":"device.updated","data":{"state":{}},"x":1},
		{"eventId":"c","type":"device.updated","data":{"state":"full"}},
		{"type":"device.connected","data":{"x":"`+strings.Repeat("x", busbar.MaxEventDataBytes)+`"}},
		{"eventId":"d","type":"device.connected","data":{}}]`)
	var lines []string
	for _, o := range got {
		line := fmt.Sprintf("%s %s", o.EventID, o.Status)
		if o.Error != nil {
			fields, err := json.Marshal(o.Error.Details["fields"])
			must(t, err)
			var paths []struct{ Path string }
			must(t, json.Unmarshal(fields, &paths))
			line = fmt.Sprintf("%s at %v", o.Error.Code, paths)
		}
		lines = append(lines, line)
	}
	wanted := []string{
		"a accepted", "VALIDATION_FAILED at [{type}]", "VALIDATION_FAILED at [{body}]", "UNKNOWN_FIELD at [{x}]",
		"VALIDATION_FAILED at [{data.state}]", "EVENT_TOO_LARGE at [{data}]", "d accepted",
	}
	if diff := cmp.Diff(wanted, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(a.items("/v1/events")); n != 2 {
		t.Errorf("%d events were kept, want 2", n)
	}
}

func TestFiveHundredEventsAreOneRequest(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"type":"device.connected","data":{}},`, busbar.MaxBatch), ",") + "]"
	got := want[[]api.AcceptedEvent](a, http.StatusAccepted, http.MethodPost, "/v1/events", body)
	ids := map[busbar.EventID]bool{}
	for _, o := range got {
		ids[o.EventID] = true
	}
	if len(ids) != busbar.MaxBatch {
		t.Errorf("%d ids for %d events", len(ids), busbar.MaxBatch)
	}
	seen, cursor := 0, ""
	for range 4 {
		page := want[struct {
			Items      []object
			NextCursor *string
		}](a, http.StatusOK, http.MethodGet, "/v1/events?limit=200"+cursor, "")
		seen += len(page.Items)
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	if seen != busbar.MaxBatch {
		t.Errorf("pages have %d events", seen)
	}
}

func TestIdempotencyKeyReplaysTheFirstAnswer(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	endpoint, _ := a.createEndpoint(plainEndpoint)
	for path, body := range map[string]string{
		"/v1/events":      `{"type":"device.connected","data":{}}`,
		"/v1/endpoints":   `{"url":"http://127.0.0.1:9/other"}`,
		"/v1/event-types": `{"name":"my.type","schema":{}}`,
		"/v1/api-keys":    `{"name":"x","scopes":["read"]}`,
		"/v1/endpoints/" + endpoint + "/secret/rotate": `{"overlap":"1h"}`,
	} {
		send := func(body string) answer { return a.send(http.MethodPost, path, body, "Idempotency-Key: once") }
		first := send(body)
		before := a.state()
		again := send(body)
		if !first.Success || first.Status != again.Status || string(first.Data) != string(again.Data) {
			t.Errorf("%s: first %d %s, again %d %s", path, first.Status, first.Data, again.Status, again.Data)
		}
		if first.Meta.RequestID == again.Meta.RequestID {
			t.Errorf("%s: both requests have one id", path)
		}
		other := send(strings.Replace(body, `{"`, `{ "`, 1))
		if other.Error.Code != busbar.CodeIdempotencyConflict {
			t.Errorf("%s: another body: %s", path, other.Body)
		}
		if diff := cmp.Diff(before, a.state()); diff != "" {
			t.Errorf("%s: replaying changed something:\n%s", path, diff)
		}
	}
}

func TestIntakeErrorsReachTheClient(t *testing.T) {
	t.Parallel()
	broken := &brokenIntake{}
	a := newApp(t, options{intake: func(web.Intake) web.Intake { return broken }})
	const body = `{"type":"device.connected","data":{}}`
	broken.err = busbar.Unavailable(1500*time.Millisecond, nil, "too many events are waiting")
	got := a.send(http.MethodPost, "/v1/events", body)
	if got.Status != http.StatusServiceUnavailable || got.Error.Code != busbar.CodeUnavailable || got.Header.Get("Retry-After") != "2" {
		t.Errorf("unavailable: %d %s, Retry-After %q", got.Status, got.Body, got.Header.Get("Retry-After"))
	}
	broken.err = fmt.Errorf("disk says hush-hush")
	for _, b := range []string{body, "[" + body + "]"} {
		got = a.send(http.MethodPost, "/v1/events", b)
		if got.Status != http.StatusInternalServerError || got.Error.Code != busbar.CodeInternal || strings.Contains(got.Body, "hush-hush") {
			t.Errorf("internal: %d %s", got.Status, got.Body)
		}
	}
	if !strings.Contains(a.logs.String(), "hush-hush") || !strings.Contains(a.logs.String(), got.Meta.RequestID) {
		t.Errorf("the log does not tell why request %s failed", got.Meta.RequestID)
	}
}

type brokenIntake struct{ err error }

func (b *brokenIntake) Accept(context.Context, busbar.Environment, []intake.Candidate, *intake.Idempotency) ([]intake.Outcome, error) {
	return nil, b.err
}

func (b *brokenIntake) SendTest(context.Context, busbar.Environment, busbar.EndpointID, busbar.Event, *intake.Idempotency) (busbar.DeliveryID, busbar.EventID, error) {
	return "", "", b.err
}

func TestGraphShowsWhatAnEventCaused(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	delivery, endpoint := a.createDelivery()
	id := a.items("/v1/events")[0]["id"].(string)
	g := want[object](a, http.StatusOK, http.MethodGet, "/v1/events/"+id+"/graph", "")
	for _, n := range g["nodes"].([]any) {
		delete(n.(object), "at")
	}
	wanted := object{
		"nodes": []any{
			object{"id": id, "kind": "event", "label": "device.updated", "status": "accepted"},
			object{"id": delivery, "kind": "delivery", "label": endpoint, "status": "pending"},
		},
		"edges": []any{object{"from": id, "to": delivery, "kind": "delivers"}},
		"limit": 200.0, "truncated": false,
	}
	if diff := cmp.Diff(wanted, g); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEventTypesAreListedCustomFirst(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for i := range 3 {
		want[object](a, http.StatusCreated, http.MethodPost, "/v1/event-types",
			fmt.Sprintf(`{"name":"my.type%d","description":"d","schema":{"type":"object"},"example":{"a": 1}}`, i))
	}
	var names []string
	cursor := ""
	for range 20 {
		page := want[struct {
			Items      []object
			NextCursor *string
		}](a, http.StatusOK, http.MethodGet, "/v1/event-types?limit=2"+cursor, "")
		for _, item := range page.Items {
			names = append(names, item["name"].(string))
			if item["schema"] == nil || item["example"] == nil {
				t.Errorf("%v has no schema or example", item["name"])
			}
		}
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	wanted := []string{"my.type2", "my.type1", "my.type0"}
	for _, b := range busbar.BuiltInTypes() {
		wanted = append(wanted, b.Name)
	}
	if diff := cmp.Diff(wanted, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	one := want[object](a, http.StatusOK, http.MethodGet, "/v1/event-types/my.type0", "")
	if one["builtIn"] != false || one["id"] != "my.type0" || !cmp.Equal(one["example"], any(object{"a": 1.0})) {
		t.Errorf("one type: %v", one)
	}
}

// FuzzIngest sends anything as events: the answer is always one of the contract's, never a panic, and what is accepted
// can be read.
func FuzzIngest(f *testing.F) {
	for _, seed := range []string{
		`{"eventId":"a","type":"device.updated","deviceId":"d","timestamp":"2026-06-01T10:30:00Z","data":{"state":{}}}`,
		`[{"type":"device.connected","data":{}},1,null]`, `{"type":"push.failed"}`, `[[]]`, `{"data":{"\ud83d\ude00":"\u0000"},"type":"device.connected"}`,
	} {
		f.Add(seed)
	}
	a := newApp(f, options{})
	f.Fuzz(func(t *testing.T, body string) {
		a.t = t // one input at a time in a process
		got := a.send(http.MethodPost, "/v1/events", body)
		switch got.Status {
		case http.StatusAccepted, http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict:
		default:
			t.Fatalf("%q: %d %s", body, got.Status, got.Body)
		}
	})
}
