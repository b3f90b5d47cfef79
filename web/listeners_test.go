package web_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

// createListener makes a listener and returns its id.
func (a *app) createListener(headers ...string) string {
	a.t.Helper()
	return want[object](a, http.StatusCreated, http.MethodPost, "/v1/listeners", "", headers...)["id"].(string)
}

// offer puts a request where a listener finds it, as an attempt does.
func (a *app) offer(endpoint, delivery string) (request string) {
	a.t.Helper()
	request = delivery + "-1"
	expires := a.now().Add(time.Hour)
	must(a.t, a.store.OfferRequest(a.t.Context(), busbar.ListenerRequest{
		ID: request, EndpointID: busbar.EndpointID(endpoint), DeliveryID: busbar.DeliveryID(delivery), ExpiresAt: expires,
		Content: fmt.Appendf(nil, `{"id":%q,"deliveryId":%q,"eventId":"evt_1","eventType":"device.updated","attempt":1,
			"header":{"Webhook-Id":["evt_1"]},"body":"e30=","expiresAt":%q}`, request, delivery, expires.Format(time.RFC3339Nano)),
	}))
	return request
}

func TestAListenerIsATemporaryEndpoint(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	created := want[object](a, http.StatusCreated, http.MethodPost, "/v1/listeners", `{"eventTypes":["push.*"],"description":"mine","timeout":"3s"}`)
	id := created["id"].(string)
	if secret, _ := created["secret"].(string); !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("secret %q", created["secret"])
	}
	got := want[object](a, http.StatusOK, http.MethodGet, "/v1/endpoints/"+id, "")
	for name, want := range map[string]any{
		"url": "listener://" + id, "description": "mine", "timeout": "3s", "enabled": true, "eventTypes": []any{"push.*"},
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// Its URL is nothing that a user can give or change.
	refused := a.send(http.MethodPost, "/v1/endpoints", fmt.Sprintf(`{"url":"listener://%s"}`, id))
	if refused.Error.Code != busbar.CodeEndpointURLForbidden {
		t.Errorf("an endpoint with such a URL: %d %s", refused.Status, refused.Body)
	}
	refused = a.send(http.MethodPatch, "/v1/endpoints/"+id, plainEndpoint)
	if refused.Error.Code != busbar.CodeValidationFailed {
		t.Errorf("another URL for it: %d %s", refused.Status, refused.Body)
	}
	want[object](a, http.StatusOK, http.MethodPatch, "/v1/endpoints/"+id, `{"description":"still mine"}`)
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/listeners/"+id, "")
	if gone := a.send(http.MethodGet, "/v1/endpoints/"+id, ""); gone.Status != http.StatusNotFound {
		t.Errorf("after its listener the endpoint is %d", gone.Status)
	}
}

func TestAListenerFetchesAndAnswers(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id := a.createListener()
	path := "/v1/listeners/" + id
	first, second := a.offer(id, "dlv_1"), a.offer(id, "dlv_2")
	fetch := func(query string) []object {
		t.Helper()
		return want[struct{ Requests []object }](a, http.StatusOK, http.MethodGet, path+"/requests?"+query, "").Requests
	}
	got := fetch("limit=1")
	if len(got) != 1 || got[0]["timeoutMs"].(float64) < 30*60_000 || got[0]["timeoutMs"].(float64) > 60*60_000 {
		t.Fatalf("requests %v", got)
	}
	delete(got[0], "timeoutMs")
	if diff := cmp.Diff(object{
		"id": first, "deliveryId": "dlv_1", "eventId": "evt_1", "eventType": "device.updated", "attempt": 1.0,
		"headers": object{"Webhook-Id": []any{"evt_1"}}, "body": base64.StdEncoding.EncodeToString([]byte("{}")),
	}, got[0]); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if got := fetch("holding=" + first); len(got) != 1 || got[0]["id"] != second {
		t.Errorf("beside the one that is held: %v", got)
	}
	if got := fetch("wait=10ms&holding=" + first + "," + second); len(got) != 0 {
		t.Errorf("with both held: %v", got)
	}
	answer := fmt.Sprintf(`{"requestId":%q,"statusCode":204}`, first)
	want[object](a, http.StatusOK, http.MethodPost, path+"/answers", answer)
	want[object](a, http.StatusOK, http.MethodPost, path+"/answers", answer)
	want[object](a, http.StatusOK, http.MethodPost, path+"/answers",
		fmt.Sprintf(`{"requestId":%q,"error":{"class":"connect","message":"connection refused"}}`, second))
	if got := fetch("wait=0s"); len(got) != 0 {
		t.Errorf("after the answers: %v", got)
	}
	text, err := a.store.RequestAnswer(t.Context(), second)
	must(t, err)
	if diff := cmp.Diff(`{"requestId":"dlv_2-1","class":"connect","reason":"connection refused"}`, string(text)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	late := a.send(http.MethodPost, path+"/answers", `{"requestId":"dlv_3-1","statusCode":200}`)
	if late.Status != http.StatusNotFound {
		t.Errorf("an answer that nobody waits for: %d %s", late.Status, late.Body)
	}
}

// Only the key that made a listener acts for it: others do not even learn that it exists.
func TestListenersAreTheirKeysOwn(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	_, mine := a.createKey(busbar.ScopeEndpoints)
	_, other := a.createKey(busbar.ScopeEndpoints)
	id := a.createListener("x-api-key: " + mine)
	request := a.offer(id, "dlv_1")
	for _, key := range []string{other, sandboxKey, liveKey} {
		for _, c := range []struct{ method, path, body string }{
			{http.MethodGet, "/requests?wait=0s", ""},
			{http.MethodPost, "/answers", fmt.Sprintf(`{"requestId":%q,"statusCode":204}`, request)},
			{http.MethodDelete, "", ""},
		} {
			got := a.send(c.method, "/v1/listeners/"+id+c.path, c.body, "x-api-key: "+key)
			if got.Error.Code != busbar.CodeNotFound {
				t.Errorf("%s %s with another key: %d %s", c.method, c.path, got.Status, got.Body)
			}
		}
	}
	got := want[struct{ Requests []object }](a, http.StatusOK, http.MethodGet, "/v1/listeners/"+id+"/requests", "", "x-api-key: "+mine)
	if len(got.Requests) != 1 {
		t.Errorf("its own key gets %v", got.Requests)
	}
	// A listener is none of the ordinary endpoints.
	plain, _ := a.createEndpoint(plainEndpoint)
	if got := a.send(http.MethodGet, "/v1/listeners/"+plain+"/requests?wait=0s", ""); got.Status != http.StatusNotFound {
		t.Errorf("an ordinary endpoint is listened to: %d", got.Status)
	}
}

func TestListenersAreCheckedForWhatTheySay(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	path := "/v1/listeners/" + a.createListener()
	const some = `"requestId":"dlv_1-1"`
	for _, c := range []struct{ method, path, body, field string }{
		{http.MethodPost, "/v1/listeners", `{"url":"https://example.com"}`, "url"},
		{http.MethodPost, "/v1/listeners", `{"eventTypes":["no spaces"]}`, "eventTypes[0]"},
		{http.MethodPost, "/v1/listeners", `{"timeout":"1ms"}`, "timeout"},
		{http.MethodGet, path + "/requests?wait=1h", "", "wait"},
		{http.MethodGet, path + "/requests?wait=soon", "", "wait"},
		{http.MethodGet, path + "/requests?limit=101", "", "limit"},
		{http.MethodGet, path + "/requests?resumed=perhaps", "", "resumed"},
		{http.MethodGet, path + "/requests?holding=a,,b", "", "holding"},
		{http.MethodGet, path + "/requests?holding=" + strings.Repeat("a,", 100) + "a", "", "holding"},
		{http.MethodPost, path + "/answers", `{"statusCode":200}`, "requestId"},
		{http.MethodPost, path + "/answers", `{` + some + `}`, "statusCode"},
		{http.MethodPost, path + "/answers", `{` + some + `,"statusCode":200,"error":{"class":"connect","message":"x"}}`, "statusCode"},
		{http.MethodPost, path + "/answers", `{` + some + `,"statusCode":20}`, "statusCode"},
		{http.MethodPost, path + "/answers", `{` + some + `,"statusCode":200,"body":"?"}`, "body"},
		{http.MethodPost, path + "/answers", `{` + some + `,"statusCode":200,"headers":{"a b":["c"]}}`, `headers["a b"]`},
		{http.MethodPost, path + "/answers", `{` + some + `,"error":{"class":"http_status","message":"x"}}`, "error.class"},
		{http.MethodPost, path + "/answers", `{` + some + `,"error":{"class":"connect"}}`, "error.message"},
	} {
		got := a.send(c.method, c.path, c.body)
		if got.Status != http.StatusUnprocessableEntity || len(got.Error.Details.Fields) != 1 || got.Error.Details.Fields[0].Path != c.field {
			t.Errorf("%s %.80s %s: %d %s, want a word about %s", c.method, c.path, c.body, got.Status, got.Body, c.field)
		}
	}
}
