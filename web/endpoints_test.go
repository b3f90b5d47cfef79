package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/webhook"
	"busbar/web"
)

func TestEndpointFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	created := want[object](a, http.StatusCreated, http.MethodPost, "/v1/endpoints", plainEndpoint)
	id := created["id"].(string)
	if !strings.HasPrefix(created["secret"].(string), "whsec_") {
		t.Errorf("secret: %v", created["secret"])
	}
	for _, name := range []string{"createdAt", "updatedAt"} {
		if !milliseconds.MatchString(created[name].(string)) {
			t.Errorf("%s: %v", name, created[name])
		}
	}
	read := want[object](a, http.StatusOK, http.MethodGet, "/v1/endpoints/"+id, "")
	delete(created, "secret")
	if diff := cmp.Diff(created, read); diff != "" {
		t.Errorf("read endpoint (-created +read):\n%s", diff)
	}
	delete(read, "createdAt")
	delete(read, "updatedAt")
	wanted := object{
		"id": id, "url": "http://127.0.0.1:9/hook", "description": "", "eventTypes": []any{}, "headers": object{},
		"payloadFormat": "enveloped", "filter": nil, "rateLimit": nil, "maxInFlight": 16.0, "timeout": "15s", "signing": "hmac", "enabled": true,
		"circuit": object{"state": "closed", "failures": 0.0},
	}
	if diff := cmp.Diff(wanted, read); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	deleted := want[object](a, http.StatusOK, http.MethodDelete, "/v1/endpoints/"+id, "")
	if diff := cmp.Diff(object{"id": id, "deleted": true}, deleted); diff != "" {
		t.Errorf("deletion:\n%s", diff)
	}
	if n := len(a.items("/v1/endpoints")); n != 0 {
		t.Errorf("%d endpoints are left", n)
	}
}

// patch sends a change and returns what is then seen of a field.
func (a *app) patch(id, body, field string) any {
	a.t.Helper()
	return want[object](a, http.StatusOK, http.MethodPatch, "/v1/endpoints/"+id, body)[field]
}

func TestChangeTellsAbsentFromNull(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id, _ := a.createEndpoint(`{"url":"http://127.0.0.1:9/","description":"d","eventTypes":["push.*","device.updated"],
		"payloadFormat":"flat","maxInFlight":4,"timeout":"2s500ms","enabled":false}`)
	for _, step := range []struct {
		body, field string
		want        any
	}{
		{`{}`, "description", "d"},
		{`{"maxInFlight":5}`, "timeout", "2.5s"},
		{`{"maxInFlight":null}`, "maxInFlight", 16.0},
		{`{"timeout":null}`, "timeout", "15s"},
		{`{"payloadFormat":null}`, "payloadFormat", "enveloped"},
		{`{"description":null}`, "description", ""},
		{`{"description":"x"}`, "eventTypes", []any{"push.*", "device.updated"}},
		{`{"eventTypes":null}`, "eventTypes", []any{}},
		{`{"url":"http://127.0.0.1:9/new"}`, "url", "http://127.0.0.1:9/new"},
		{`{"url":"http://127.0.0.1:9/new"}`, "disabledReason", "disabled by its owner"},
		{`{"enabled":true}`, "disabledReason", nil},
		{`{"enabled":false}`, "enabled", false},
		{`{"enabled":null}`, "enabled", true},
	} {
		if diff := cmp.Diff(step.want, a.patch(id, step.body, step.field)); diff != "" {
			t.Errorf("after %s, %s (-want +got):\n%s", step.body, step.field, diff)
		}
	}
}

func TestHeaderValuesAreWriteOnly(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	const hush = "hush-hush-value"
	created := a.send(http.MethodPost, "/v1/endpoints", `{"url":"http://127.0.0.1:9/","headers":{"x-token":"`+hush+`","X-Other":"o"}}`)
	id := a.items("/v1/endpoints")[0]["id"].(string)
	stored := func() map[string]string {
		t.Helper()
		e, err := a.store.Endpoint(t.Context(), busbar.Sandbox, busbar.EndpointID(id))
		must(t, err)
		return e.Headers
	}
	answers := created.Body
	for _, step := range []struct {
		body string
		want map[string]string
	}{
		{`{"description":"x"}`, map[string]string{"X-Token": hush, "X-Other": "o"}},
		{`{"headers":{"X-TOKEN":"` + webhook.Masked + `","X-New":"n"}}`, map[string]string{"X-Token": hush, "X-Other": "o", "X-New": "n"}},
		{`{"headers":{"x-other":null}}`, map[string]string{"X-Token": hush, "X-New": "n"}},
		{`{"headers":{"x-token":"changed-` + hush + `"}}`, map[string]string{"X-Token": "changed-" + hush, "X-New": "n"}},
	} {
		answers += a.send(http.MethodPatch, "/v1/endpoints/"+id, step.body).Body
		if diff := cmp.Diff(step.want, stored()); diff != "" {
			t.Errorf("headers after %s (-want +got):\n%s", step.body, diff)
		}
	}
	answers += a.send(http.MethodGet, "/v1/endpoints/"+id, "").Body + a.send(http.MethodGet, "/v1/endpoints", "").Body
	if strings.Contains(answers, hush) || strings.Contains(a.logs.String(), hush) {
		t.Error("a header's value was shown")
	}
	if !strings.Contains(answers, `"X-Token":"`+webhook.Masked+`"`) {
		t.Error("names of headers are not shown")
	}
	if a.patch(id, `{"headers":null}`, "headers"); len(stored()) != 0 {
		t.Errorf("headers after null: %v", stored())
	}
}

func TestSigningSecretsAreShownOnlyWhereAsked(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for _, tc := range []struct{ signing, secret, public string }{
		{"hmac", "whsec_", ""}, {"ed25519", "", "whpk_"}, {"both", "whsec_", "whpk_"},
	} {
		created := want[object](a, http.StatusCreated, http.MethodPost, "/v1/endpoints", fmt.Sprintf(`{"url":"http://127.0.0.1:9/","signing":%q}`, tc.signing))
		secret, _ := created["secret"].(string)
		public, _ := created["publicKey"].(string)
		if !prefixed(secret, tc.secret) || !prefixed(public, tc.public) {
			t.Errorf("%s: secret %.8q, public key %.8q", tc.signing, secret, public)
		}
		path := "/v1/endpoints/" + created["id"].(string)
		shown := want[object](a, http.StatusOK, http.MethodGet, path+"/secret", "")
		if again, _ := shown["secret"].(string); again != secret {
			t.Errorf("%s: the secret route shows another secret", tc.signing)
		}
		answers := a.send(http.MethodGet, path, "").Body + a.send(http.MethodGet, "/v1/endpoints", "").Body +
			a.send(http.MethodPatch, path, `{"description":"x"}`).Body + a.send(http.MethodPost, path+"/disable", "").Body
		if secret != "" && strings.Contains(answers+a.logs.String(), secret) || strings.Contains(answers+a.send(http.MethodGet, path+"/secret", "").Body, "whsk_") {
			t.Errorf("%s: a secret is shown where it must not be", tc.signing)
		}
		if public != "" && !strings.Contains(answers, public) {
			t.Errorf("%s: the public key is not shown", tc.signing)
		}
	}
}

func prefixed(text, prefix string) bool {
	return prefix == "" && text == "" || prefix != "" && strings.HasPrefix(text, prefix)
}

func TestRotationKeepsBothKeysForTheOverlap(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id, first := a.createEndpoint(plainEndpoint)
	path := "/v1/endpoints/" + id + "/secret/rotate"
	rotated := want[object](a, http.StatusOK, http.MethodPost, path, "")
	keys := rotated["keys"].([]any)
	if len(keys) != 2 || rotated["secret"] == first || keys[0].(object)["secret"] != first || keys[0].(object)["expiresAt"] == nil || keys[1].(object)["expiresAt"] != nil {
		t.Errorf("after a rotation: %v", rotated)
	}
	rotated = want[object](a, http.StatusOK, http.MethodPost, path, `{"overlap":"0s"}`)
	if keys := rotated["keys"].([]any); len(keys) != 1 || keys[0].(object)["secret"] != rotated["secret"] {
		t.Errorf("after a rotation without overlap: %v", rotated)
	}
	for range 4 {
		want[object](a, http.StatusOK, http.MethodPost, path, "")
	}
	if got := a.send(http.MethodPost, path, ""); got.Error.Code != busbar.CodeConflict {
		t.Errorf("sixth key: %d %s", got.Status, got.Body)
	}
}

func TestHTTPNeedsTheSandboxOrAnAllowedRange(t *testing.T) {
	t.Parallel()
	guard := &noted{}
	a := newApp(t, options{guard: guard})
	a.createEndpoint(`{"url":"http://example.com/"}`)
	a.createEndpoint(`{"url":"https://example.com/"}`, "x-api-key: "+liveKey)
	want := []string{"http://example.com/ true", "https://example.com/ false"}
	if diff := cmp.Diff(want, guard.asked); diff != "" {
		t.Errorf("guard was asked (-want +got):\n%s", diff)
	}
}

// noted is a guard that allows everything.
type noted struct{ asked []string }

func (n *noted) CheckURL(_ context.Context, url string, allowHTTP bool) error {
	n.asked = append(n.asked, fmt.Sprint(url, " ", allowHTTP))
	return nil
}

var _ web.URLChecker = (*noted)(nil)

func TestTestSendAnswersWithTheAttempt(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.cluster.deliverAtOnce()
	id, _ := a.createEndpoint(plainEndpoint)
	for body, eventType := range map[string]string{"": "webhook.test", `{"type":"push.completed"}`: "push.completed"} {
		got := want[object](a, http.StatusOK, http.MethodPost, "/v1/endpoints/"+id+"/test", body)
		if got["status"] != "delivered" || got["statusCode"] != 200.0 || got["responseBody"] != "thanks" || got["durationMs"] != 12.0 || got["number"] != 1.0 {
			t.Errorf("test send of %s: %v", eventType, got)
		}
		event := want[object](a, http.StatusOK, http.MethodGet, "/v1/events/"+got["eventId"].(string), "")
		if event["type"] != eventType || !cmp.Equal(event["flags"], any([]any{"test"})) {
			t.Errorf("its event: %v", event)
		}
		if d := event["deliveries"].([]any); len(d) != 1 || d[0].(object)["id"] != got["deliveryId"] || d[0].(object)["test"] != true {
			t.Errorf("its deliveries: %v", d)
		}
	}
}

// A client that did not see the answer asks again with the same key, and the receiver gets nothing twice.
func TestTestSendIsMadeOnceForAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.cluster.deliverAtOnce()
	id, _ := a.createEndpoint(plainEndpoint)
	send := func(body string) answer {
		return a.send(http.MethodPost, "/v1/endpoints/"+id+"/test", body, "Idempotency-Key: once")
	}
	first, again := send(""), send("")
	if !first.Success || string(first.Data) != string(again.Data) {
		t.Errorf("first %d %s, again %d %s", first.Status, first.Body, again.Status, again.Body)
	}
	if n := len(a.items("/v1/deliveries")); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
	if got := send(`{"type":"device.updated"}`); got.Error.Code != busbar.CodeIdempotencyConflict {
		t.Errorf("another body: %d %s", got.Status, got.Body)
	}
}

func TestRequestThatIsGivenUpIsNoErrorOfOurs(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://busbar.example/v1/events", http.NoBody)
	must(t, err)
	r.Header.Set("X-Api-Key", sandboxKey)
	if got := a.do(r); got.Status != http.StatusServiceUnavailable {
		t.Errorf("given up: %d %s", got.Status, got.Body)
	}
	if strings.Contains(a.logs.String(), "level=ERROR") {
		t.Error("the log has an error about it")
	}
}

// A test send whose attempt never comes is not answered with success: what was accepted is named instead.
func TestTestSendThatIsNotMadeSaysWhereToLook(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{timeout: time.Millisecond})
	id, _ := a.createEndpoint(plainEndpoint)
	got := a.send(http.MethodPost, "/v1/endpoints/"+id+"/test", "")
	deliveries := a.items("/v1/deliveries")
	if got.Status != http.StatusServiceUnavailable || len(deliveries) != 1 || !strings.Contains(got.Error.Message, deliveries[0]["id"].(string)) {
		t.Errorf("%d %s, deliveries %v", got.Status, got.Body, deliveries)
	}
}

func TestDeliveriesAreRetriedAndCancelled(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id, endpoint := a.createDelivery()
	path := "/v1/deliveries/" + id
	if d := want[object](a, http.StatusAccepted, http.MethodPost, path+"/retry", ""); d["id"] != id || d["status"] != "pending" {
		t.Errorf("retry: %v", d)
	}
	if d := want[object](a, http.StatusOK, http.MethodPost, path+"/cancel", "{}"); d["status"] != "cancelled" || d["completedAt"] == nil {
		t.Errorf("cancel: %v", d)
	}
	if d := want[object](a, http.StatusAccepted, http.MethodPost, path+"/retry", ""); d["status"] != "pending" || d["workflowId"] != "redeliver-1" {
		t.Errorf("retry of what was cancelled: %v", d)
	}
	wanted := []string{"retry " + id, "cancel " + id, "retry " + id}
	if diff := cmp.Diff(wanted, a.cluster.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	detail := want[object](a, http.StatusOK, http.MethodGet, path, "")
	if attempts := detail["attempts"].([]any); len(attempts) != 0 {
		t.Errorf("attempts: %v", attempts)
	}
	for query, n := range map[string]int{
		"": 1, "?status=pending": 1, "?status=failed": 0, "?endpointId=" + endpoint: 1, "?endpointId=ep_none": 0, "?type=device.*": 1, "?type=push.*": 0,
		"?since=2020-01-01T00:00:00Z": 1, "?until=2020-01-01T00:00:00%2B01:00": 0,
	} {
		if got := len(a.items("/v1/deliveries" + query)); got != n {
			t.Errorf("deliveries %s: %d, want %d", query, got, n)
		}
	}
}

// A parked delivery stays where it is while its endpoint is disabled, and can be sent once that is enabled.
func TestParkedDeliveryIsRetriedWhenItsEndpointIsEnabled(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	endpoint, _ := a.createEndpoint(`{"url":"http://127.0.0.1:9/","enabled":false}`)
	want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"device.connected","data":{}}`)
	parked := a.items("/v1/deliveries")[0]
	retry := "/v1/deliveries/" + parked["id"].(string) + "/retry"
	if got := a.send(http.MethodPost, retry, ""); parked["status"] != "parked" || got.Error.Code != busbar.CodeConflict {
		t.Errorf("retry of what is %v for a disabled endpoint: %d %s", parked["status"], got.Status, got.Body)
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/endpoints/"+endpoint+"/enable", "")
	if d := want[object](a, http.StatusAccepted, http.MethodPost, retry, ""); d["status"] != "pending" || d["nextAttemptAt"] == nil {
		t.Errorf("retry of what was parked: %v", d)
	}
}

func TestAttemptsShowHowItWent(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.cluster.deliverAtOnce()
	id, _ := a.createEndpoint(plainEndpoint)
	sent := want[object](a, http.StatusOK, http.MethodPost, "/v1/endpoints/"+id+"/test", "")
	detail := want[object](a, http.StatusOK, http.MethodGet, "/v1/deliveries/"+sent["deliveryId"].(string), "")
	attempt := detail["attempts"].([]any)[0].(object)
	delete(attempt, "at")
	wanted := object{
		"number": 1.0, "durationMs": 12.0, "statusCode": 200.0, "responseBody": "thanks", "truncated": false,
		"timing":         object{"dnsMs": 0.0, "connectMs": 1.0, "tlsMs": 0.0, "firstByteMs": 0.0, "totalMs": 12.0, "reused": false},
		"requestHeaders": object{"X-Token": []any{webhook.Masked}}, "responseHeaders": object{"Server": []any{"test"}},
	}
	if diff := cmp.Diff(wanted, attempt); diff != "" {
		t.Errorf("attempt (-want +got):\n%s", diff)
	}
}
