package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

// scenario is a request that is refused: with which code, naming which fields, and without having changed anything.
type scenario struct {
	name         string
	method, path string
	body         string
	headers      []string
	status       int
	code         busbar.Code
	// fields are the paths in details.fields.
	fields string
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	delivery, endpoint := a.createDelivery()
	parked, disabled := a.createDelivery()
	want[object](a, http.StatusOK, http.MethodPost, "/v1/endpoints/"+disabled+"/disable", "")
	finished, _ := a.createDelivery()
	want[object](a, http.StatusOK, http.MethodPost, "/v1/deliveries/"+finished+"/cancel", "")
	orphan, gone := a.createDelivery()
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/endpoints/"+gone, "")
	want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"eventId":"known","type":"device.connected","data":{}}`, "Idempotency-Key: used")
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/event-types", `{"name":"battery.full","schema":{"required":["level"],"properties":{"level":{"type":"number","maximum":100},"at":{"format":"date-time"}}}}`)
	_, reader := a.createKey(busbar.ScopeRead)
	_, producer := a.createKey(busbar.ScopeEventsWrite)
	_, liveSecret := a.createEndpoint(`{"url":"https://127.0.0.1/"}`, "x-api-key: "+liveKey)
	before := a.state()

	const (
		get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
		events, types, hooks  = "/v1/events", "/v1/event-types", "/v1/endpoints"
		invalid               = busbar.CodeValidationFailed
	)
	event := func(more string) string { return `{"type":"device.updated","data":{"state":{}}` + more + `}` }
	big := strings.Repeat("x", busbar.MaxEventDataBytes)
	for _, tc := range []scenario{
		{"no key", get, events, "", []string{"x-api-key: "}, 401, busbar.CodeUnauthorized, ""},
		{"another scheme", get, events, "", []string{"x-api-key: ", "authorization: Basic " + sandboxKey}, 401, busbar.CodeUnauthorized, ""},
		{"no key form", get, events, "", []string{"x-api-key: hello"}, 401, busbar.CodeInvalidAPIKey, ""},
		{"unknown key", get, events, "", []string{"x-api-key: sk_test_nobody"}, 401, busbar.CodeInvalidAPIKey, ""},
		{"endless key", get, events, "", []string{"x-api-key: sk_test_" + strings.Repeat("x", 5000)}, 401, busbar.CodeInvalidAPIKey, ""},
		{"two keys", get, events, "", []string{"authorization: Bearer " + liveKey}, 401, busbar.CodeInvalidAPIKey, ""},
		{"reader writes", post, events, event(""), []string{"x-api-key: " + reader}, 403, busbar.CodeInsufficientPermission, ""},
		{"reader sees secrets", get, hooks + "/" + endpoint + "/secret", "", []string{"x-api-key: " + reader}, 403, busbar.CodeInsufficientPermission, ""},
		{"producer reads", get, events, "", []string{"x-api-key: " + producer}, 403, busbar.CodeInsufficientPermission, ""},
		{"producer makes keys", post, "/v1/api-keys", `{"name":"x","scopes":["read"]}`, []string{"x-api-key: " + producer}, 403, busbar.CodeInsufficientPermission, ""},
		{"no path", get, "/v1/nothing", "", nil, 404, busbar.CodeNotFound, ""},
		{"no method", http.MethodPut, events, "", nil, 404, busbar.CodeNotFound, ""},
		{"no event", get, events + "/evt_none", "", nil, 404, busbar.CodeNotFound, ""},
		{"no id", get, events + "/%00", "", nil, 404, busbar.CodeNotFound, ""},
		{"other environment", get, hooks + "/" + endpoint, "", []string{"x-api-key: " + liveKey}, 404, busbar.CodeNotFound, ""},
		{"no endpoint", patch, hooks + "/ep_none", `{}`, nil, 404, busbar.CodeNotFound, ""},
		{"no type", get, types + "/none", "", nil, 404, busbar.CodeNotFound, ""},
		{"no key id", del, "/v1/api-keys/key_none", "", nil, 404, busbar.CodeNotFound, ""},

		{"no JSON", post, events, `{"type":`, nil, 400, busbar.CodeInvalidJSON, ""},
		{"form", post, events, `type=device.updated`, []string{"content-type: application/x-www-form-urlencoded"}, 400, busbar.CodeInvalidJSON, ""},
		{"empty", post, events, ``, nil, 400, busbar.CodeInvalidJSON, ""},
		{"duplicate", post, events, event(`,"type":"device.updated"`), nil, 400, busbar.CodeInvalidJSON, ""},
		{"trailing", post, events, event("") + event(""), nil, 400, busbar.CodeInvalidJSON, ""},
		{"no UTF-8", post, events, event(",\"deviceId\":\"\xff\""), nil, 400, busbar.CodeInvalidJSON, ""},
		{"deep", post, events, `{"type":"device.updated","data":` + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200) + "}", nil, 400, busbar.CodeInvalidJSON, ""},
		{"huge number", post, events, `{"type":"device.updated","data":{"state":{"level":1e999999}}}`, nil, 400, busbar.CodeInvalidJSON, ""},
		{"large body", post, events, `{"a":"` + strings.Repeat("x", busbar.MaxBodyBytes) + `"}`, nil, 413, busbar.CodePayloadTooLarge, ""},

		{"unknown field", post, events, event(`,"devices":1`), nil, 422, busbar.CodeUnknownField, "devices"},
		{"unknown parameter", get, events + "?kind=x", "", nil, 422, busbar.CodeUnknownField, "kind"},
		{"parameter twice", get, events + "?type=a&type=b", "", nil, 422, invalid, "type"},
		{"bad limit", get, events + "?limit=201", "", nil, 422, invalid, "limit"},
		{"bad cursor", get, events + "?cursor=x", "", nil, 422, invalid, "cursor"},
		{"bad since", get, events + "?since=yesterday", "", nil, 422, invalid, "since"},
		{"bad glob", get, events + "?type=*.x", "", nil, 422, invalid, "type"},
		{"zero byte", get, events + "?deviceId=%00", "", nil, 422, invalid, "deviceId"},
		{"bad status", get, "/v1/deliveries?status=lost", "", nil, 422, invalid, "status"},

		{"nothing", post, events, `{}`, nil, 422, invalid, "type data"},
		{"not an event", post, events, `"x"`, nil, 422, invalid, "body"},
		{"empty batch", post, events, `[]`, nil, 422, invalid, "body"},
		{"long batch", post, events, "[" + strings.Repeat("1,", 500) + "1]", nil, 422, invalid, "body"},
		{"wrong types", post, events, `{"type":1,"deviceId":[],"data":{}}`, nil, 422, invalid, "type deviceId"},
		{"unknown type", post, events, `{"type":"no.such","data":{}}`, nil, 422, invalid, "type"},
		{"reserved type", post, events, `{"type":"push.completed","data":{}}`, nil, 422, invalid, "type"},
		{"operational type", post, events, `{"type":"webhook.test","data":{}}`, nil, 422, invalid, "type"},
		{"bad id", post, events, event(`,"eventId":"a b"`), nil, 422, invalid, "eventId"},
		{"long id", post, events, event(`,"eventId":"` + strings.Repeat("x", 65) + `"`), nil, 422, invalid, "eventId"},
		{"reserved id", post, events, event(`,"eventId":"evt_b` + strings.Repeat("0a", 16) + `"`), nil, 422, invalid, "eventId"},
		{"bad device", post, events, event(`,"deviceId":"a/b"`), nil, 422, invalid, "deviceId"},
		{"no zone", post, events, event(`,"timestamp":"2026-06-01T10:30:00"`), nil, 422, invalid, "timestamp"},
		{"no real time", post, events, event(`,"timestamp":"2026-02-30T10:30:00Z"`), nil, 422, invalid, "timestamp"},
		{"hour of one digit", post, events, event(`,"timestamp":"2026-06-01T1:30:00Z"`), nil, 422, invalid, "timestamp"},
		{"comma before the fraction", post, events, event(`,"timestamp":"2026-06-01T10:30:00,5Z"`), nil, 422, invalid, "timestamp"},
		{"zone that is none", get, events + "?since=2026-06-01T10:30:00%2B24:00", "", nil, 422, invalid, "since"},
		{"unset clock", post, events, event(`,"timestamp":"1970-01-01T00:00:00Z"`), nil, 422, invalid, "timestamp"},
		{"no data", post, events, `{"type":"device.updated"}`, nil, 422, invalid, "data"},
		{"no object", post, events, `{"type":"device.updated","data":[]}`, nil, 422, invalid, "data"},
		{"built-in schema", post, events, `{"type":"device.updated","data":{"state":1,"changed":[1]}}`, nil, 422, invalid, "data.changed[0] data.state"},
		{"custom schema", post, events, `{"type":"battery.full","data":{"level":101,"at":"x"}}`, nil, 422, invalid, "data.at data.level"},
		{"custom schema, missing", post, events, `{"type":"battery.full","data":{}}`, nil, 422, invalid, "data.level"},
		{"large event", post, events, `{"type":"device.updated","data":{"state":{"x":"` + big + `"}}}`, nil, 422, busbar.CodeEventTooLarge, "data"},
		{"reused id", post, events, `{"eventId":"known","type":"device.disconnected","data":{}}`, nil, 409, busbar.CodeEventIDReused, ""},
		{"idempotency conflict", post, events, event(""), []string{"Idempotency-Key: used"}, 409, busbar.CodeIdempotencyConflict, ""},
		{"long idempotency key", post, events, event(""), []string{"Idempotency-Key: " + strings.Repeat("x", 256)}, 422, invalid, "Idempotency-Key"},
		{"bad idempotency key", post, events, event(""), []string{"Idempotency-Key: a b"}, 422, invalid, "Idempotency-Key"},

		{"type without all", post, types, `{}`, nil, 422, invalid, "name"},
		{"type without schema", post, types, `{"name":"x"}`, nil, 422, invalid, "schema"},
		{"type with a bad name", post, types, `{"name":"a..b","schema":{}}`, nil, 422, invalid, "name"},
		{"type of ours", post, types, `{"name":"push.mine","schema":{}}`, nil, 422, invalid, "name"},
		{"type with a bad schema", post, types, `{"name":"x","schema":{"properties":{"a":{"type":"int"}}}}`, nil, 422, invalid, "schema.properties.a.type"},
		{"type that refers out", post, types, `{"name":"x","schema":{"$ref":"http://127.0.0.1:1/x"}}`, nil, 422, invalid, "schema.$ref"},
		{"type with an example that does not fit", post, types, `{"name":"x","schema":{"required":["a"]},"example":{}}`, nil, 422, invalid, "example.a"},
		{"type with a large schema", post, types, `{"name":"x","schema":{"description":"` + strings.Repeat("x", 64<<10) + `"}}`, nil, 422, invalid, "schema"},
		{"type taken", post, types, `{"name":"battery.full","schema":{}}`, nil, 409, busbar.CodeConflict, ""},
		{"built-in type taken", post, types, `{"name":"device.updated","schema":{}}`, nil, 409, busbar.CodeConflict, ""},

		{"endpoint without URL", post, hooks, `{}`, nil, 422, invalid, "url"},
		{"endpoint with no URL", post, hooks, `{"url":"hello"}`, nil, 422, invalid, "url"},
		{"endpoint inside", post, hooks, `{"url":"https://10.0.0.1/"}`, nil, 422, busbar.CodeEndpointURLForbidden, "url"},
		{"endpoint at metadata", post, hooks, `{"url":"http://169.254.169.254/"}`, nil, 422, busbar.CodeEndpointURLForbidden, "url"},
		{"endpoint with a password", post, hooks, `{"url":"https://a:b@127.0.0.1/"}`, nil, 422, busbar.CodeEndpointURLForbidden, "url"},
		{
			"everything wrong", post, hooks, `{"url":"http://127.0.0.1/","description":"a\u0000","eventTypes":["*","a b","no.such"],"filter":"data.level >","headers":{"Content-Type":"x"},
			"payloadFormat":"xml","rateLimit":0,"maxInFlight":0,"timeout":"61s","signing":"none"}`, nil, 422, invalid,
			"rateLimit description payloadFormat signing maxInFlight timeout eventTypes[1] eventTypes[2] headers.Content-Type",
		},
		{"filter that is none", post, hooks, `{"url":"http://127.0.0.1/","filter":"data.level >"}`, nil, 422, busbar.CodeInvalidExpression, ""},
		{"filter that gives a number", post, hooks, `{"url":"http://127.0.0.1/","filter":"1 + 1"}`, nil, 422, busbar.CodeInvalidExpression, ""},
		{"header that is ours", post, hooks, `{"url":"http://127.0.0.1/","headers":{"webhook-id":"x"}}`, nil, 422, invalid, "headers.webhook-id"},
		{"header with a line break", post, hooks, `{"url":"http://127.0.0.1/","headers":{"X-A":"x\r\nX-B: y"}}`, nil, 422, invalid, "headers.X-A"},
		{"header that is a mask", post, hooks, `{"url":"http://127.0.0.1/","headers":{"X-A":"•••"}}`, nil, 422, invalid, "headers.X-A"},
		{"too many headers", post, hooks, `{"url":"http://127.0.0.1/","headers":{` + manyHeaders(21) + `}}`, nil, 422, invalid, "headers"},
		{"timeout without unit", post, hooks, `{"url":"http://127.0.0.1/","timeout":"15"}`, nil, 422, invalid, "timeout"},
		{"URL taken away", patch, hooks + "/" + endpoint, `{"url":null}`, nil, 422, invalid, "url"},
		{"moved inside", patch, hooks + "/" + endpoint, `{"url":"https://[::ffff:10.0.0.1]/"}`, nil, 422, busbar.CodeEndpointURLForbidden, "url"},
		{"unknown in a change", patch, hooks + "/" + endpoint, `{"secret":"x"}`, nil, 422, busbar.CodeUnknownField, "secret"},
		{"long overlap", post, hooks + "/" + endpoint + "/secret/rotate", `{"overlap":"169h"}`, nil, 422, invalid, "overlap"},
		{"negative overlap", post, hooks + "/" + endpoint + "/secret/rotate", `{"overlap":"-1s"}`, nil, 422, invalid, "overlap"},
		{"enable with a body", post, hooks + "/" + endpoint + "/enable", `{"now":true}`, nil, 422, busbar.CodeUnknownField, "now"},
		{"test of no type", post, hooks + "/" + endpoint + "/test", `{"type":"no.such"}`, nil, 422, invalid, "type"},
		{"test without example", post, hooks + "/" + endpoint + "/test", `{"type":"battery.full"}`, nil, 422, invalid, "type"},

		{"retry to a disabled endpoint", post, "/v1/deliveries/" + parked + "/retry", "", nil, 409, busbar.CodeConflict, ""},
		{"retry to a deleted endpoint", post, "/v1/deliveries/" + orphan + "/retry", "", nil, 409, busbar.CodeConflict, ""},
		{"cancel what has ended", post, "/v1/deliveries/" + finished + "/cancel", "", nil, 409, busbar.CodeConflict, ""},
		{"retry elsewhere", post, "/v1/deliveries/" + delivery + "/retry", "", []string{"x-api-key: " + liveKey}, 404, busbar.CodeNotFound, ""},

		{"key without all", post, "/v1/api-keys", `{"scopes":["read"]}`, nil, 422, invalid, "name"},
		{"key without scopes", post, "/v1/api-keys", `{"name":"x","scopes":[]}`, nil, 422, invalid, "scopes"},
		{"key with every scope", post, "/v1/api-keys", `{"name":"x","scopes":["read","*"]}`, nil, 422, invalid, "scopes[1]"},
		{"key that has expired", post, "/v1/api-keys", `{"name":"x","scopes":["read"],"expiresAt":"2020-01-01T00:00:00Z"}`, nil, 422, invalid, "expiresAt"},
	} {
		a.refuses(tc)
	}
	if diff := cmp.Diff(before, a.state()); diff != "" {
		t.Errorf("refused requests changed something:\n%s", diff)
	}
	for _, secret := range []string{sandboxKey, liveKey, liveSecret, "sk_test_nobody"} {
		if strings.Contains(a.logs.String(), secret) {
			t.Errorf("%.10s… is in the log", secret)
		}
	}
}

// refuses makes a request that must be refused.
func (a *app) refuses(tc scenario) answer {
	a.t.Helper()
	got := a.send(tc.method, tc.path, tc.body, tc.headers...)
	if got.Status != tc.status || got.Error.Code != tc.code || got.Success {
		a.t.Errorf("%s: got %d %.300s, want %d %s", tc.name, got.Status, got.Body, tc.status, tc.code)
		return got
	}
	var fields []string
	for _, f := range got.Error.Details.Fields {
		fields = append(fields, f.Path)
		if f.Message == "" || f.Code == "" {
			a.t.Errorf("%s: %s says nothing", tc.name, f.Path)
		}
	}
	if diff := cmp.Diff(tc.fields, strings.Join(fields, " ")); diff != "" {
		a.t.Errorf("%s: fields (-want +got):\n%s", tc.name, diff)
	}
	if got.Error.Message == "" || got.Meta.RequestID == "" || got.Header.Get("X-Request-Id") != got.Meta.RequestID {
		a.t.Errorf("%s: message %q, request id %q, in the header %q", tc.name, got.Error.Message, got.Meta.RequestID, got.Header.Get("X-Request-Id"))
	}
	return got
}

func manyHeaders(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"X-H%d":"v"`, i)
	}
	return strings.Join(list, ",")
}
