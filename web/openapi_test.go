package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/internal/schema"
	"busbar/web/api"
)

func TestDescriptionCoversEveryRoute(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	got := a.send(http.MethodGet, "/v1/openapi.json", "", "x-api-key: ")
	if got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	var doc struct {
		OpenAPI    string
		Info       object
		Paths      map[string]map[string]object
		Components struct {
			Schemas         map[string]object
			SecuritySchemes map[string]object
		}
	}
	must(t, json.Unmarshal([]byte(got.Body), &doc))
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info["title"] == nil || doc.Info["version"] != "1.2.3" || len(doc.Components.SecuritySchemes) != 2 {
		t.Errorf("head of the document: %s %v", doc.OpenAPI, doc.Info)
	}
	ids := map[any]string{}
	operations := 0
	for _, methods := range doc.Paths {
		operations += len(methods)
	}
	if operations != len(api.Routes()) {
		t.Errorf("%d operations for %d routes", operations, len(api.Routes()))
	}
	codes := map[string]bool{}
	for _, r := range api.Routes() {
		op := doc.Paths[r.Path][strings.ToLower(r.Method)]
		name := r.Method + " " + r.Path
		if op == nil {
			t.Errorf("%s is not described", name)
			continue
		}
		if other, taken := ids[op["operationId"]]; taken {
			t.Errorf("%s and %s have one operationId", name, other)
		}
		ids[op["operationId"]] = name
		if (op["requestBody"] != nil) != (r.Body != nil) {
			t.Errorf("%s: request body %v", name, op["requestBody"])
		}
		for _, param := range pathParam.FindAllString(r.Path, -1) {
			text, err := json.Marshal(op["parameters"])
			must(t, err)
			if !strings.Contains(string(text), `"name":"`+strings.Trim(param, "{}")+`"`) {
				t.Errorf("%s: %s is not described", name, param)
			}
		}
		text, err := json.Marshal(op["responses"])
		must(t, err)
		// Every route with a key refuses query parameters that it does not have.
		if !r.Public && !strings.Contains(string(text), `"UNKNOWN_FIELD"`) {
			t.Errorf("%s: what an unknown parameter is answered with is not described", name)
		}
		for _, c := range r.Codes {
			codes[string(c)] = true
			if !strings.Contains(string(text), `"`+string(c)+`"`) {
				t.Errorf("%s: %s is not described", name, c)
			}
		}
	}
	for _, c := range []busbar.Code{busbar.CodeEventTooLarge, busbar.CodeEventIDReused, busbar.CodeEndpointURLForbidden, busbar.CodePayloadTooLarge} {
		if !codes[string(c)] {
			t.Errorf("no route lists %s", c)
		}
	}
	var tree any
	must(t, json.Unmarshal([]byte(got.Body), &tree))
	for _, ref := range references(tree) {
		name, ok := strings.CutPrefix(ref, "#/components/schemas/")
		if _, there := doc.Components.Schemas[name]; !ok || !there {
			t.Errorf("%s leads nowhere", ref)
		}
	}
}

// references are all $ref in a document.
func references(tree any) []string {
	var found []string
	switch v := tree.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			found = append(found, ref)
		}
		for _, member := range v {
			found = append(found, references(member)...)
		}
	case []any:
		for _, item := range v {
			found = append(found, references(item)...)
		}
	}
	return found
}

// The description is held against real traffic: answers fit the schemas that it gives for them, and its examples are
// accepted.
func TestDescriptionIsTrue(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	document := a.send(http.MethodGet, "/v1/openapi.json", "").Body
	a.cluster.deliverAtOnce()
	delivery, endpoint := a.createDelivery()
	event := a.items("/v1/events")[0]["id"].(string)
	keyID, _ := a.createKey(busbar.ScopeRead)
	a.createHome()
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"site_home","name":"Home","timezone":"UTC"}`)
	a.createDevice(`{"id":"dev_battery","type":"battery","siteId":"site_home","driver":{"kind":"simulator"}}`)
	a.report("dev_battery", `{"level":50}`)
	action := a.push("/v1/battery/dev_battery", `{"action":{"command":"charge"}}`)["id"].(string)
	a.taken(action)
	listenerID := a.createListener()
	a.offer(listenerID, "dlv_01980f3ae2b57c3f8d1c5b0a9e7f6d21")
	since := a.now().Add(-time.Hour).Format(time.RFC3339)
	jobID := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/endpoints/"+endpoint+"/recover", `{"since":"`+since+`"}`)["jobId"].(string)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", plainRule)
	a.chargeRule("filled", "active")
	a.filling()
	run := a.items("/v1/runs")[0]["id"].(string)
	ids := map[string]string{
		"rules": "car", "runs": run, "endpoints": endpoint, "events": event, "deliveries": delivery, "api-keys": keyID, "sites": "site_home",
		"devices": "dev_battery", "simulator": "dev_battery", "actions": action,
		"jobs": jobID, "listeners": listenerID,
	}
	for _, r := range api.Routes() {
		if r.Public || r.Method == http.MethodDelete || strings.HasSuffix(r.Path, "/cancel") {
			continue // they end what the others need
		}
		// A device is called like the segment of its family.
		noun := strings.Split(r.Path, "/")[2]
		id, ok := ids[noun]
		if !ok {
			id = noun
		}
		body := r.Example
		if r.Path == "/v1/endpoints" && body != "" {
			body = plainEndpoint
		}
		body = strings.ReplaceAll(body, "evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21", event)
		path := strings.NewReplacer("{id}", id, "{n}", "1", "{name}", "device.updated", "/history", "/history?field=level").Replace(r.Path)
		if strings.HasPrefix(r.Summary, "Refused: ") {
			body = "{}"
		}
		got := a.send(r.Method, path, body)
		if refused := strings.HasPrefix(r.Summary, "Refused: "); refused || got.Status != r.Status {
			if !refused || got.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s %s: %d %s, want %d", r.Method, path, got.Status, got.Body, r.Status)
			}
			continue
		}
		for _, problem := range responseSchema(t, document, &r).Check("answer", []byte(got.Body)) {
			t.Errorf("%s %s: %s: %s", r.Method, path, problem.Path, problem.Message)
		}
		if strings.HasSuffix(r.Path, "/disable") {
			a.patch(endpoint, `{"enabled":true}`, "enabled")
		}
		if r.Batch {
			batch := a.send(r.Method, path, "["+body+"]")
			for _, problem := range responseSchema(t, document, &r).Check("answer", []byte(batch.Body)) {
				t.Errorf("%s %s with a batch: %s: %s", r.Method, path, problem.Path, problem.Message)
			}
		}
	}
}

// responseSchema is the schema of a route's success, with the components that it refers to.
func responseSchema(t *testing.T, document string, r *api.Route) *schema.Schema {
	t.Helper()
	var doc object
	must(t, json.Unmarshal([]byte(document), &doc))
	op := doc["paths"].(object)[r.Path].(object)[strings.ToLower(r.Method)].(object)
	var success object
	for status, response := range op["responses"].(object) {
		if strings.HasPrefix(status, "2") {
			success = response.(object)["content"].(object)["application/json"].(object)["schema"].(object)
		}
	}
	schemas := doc["components"].(object)["schemas"].(object)
	for _, s := range schemas {
		closed(s)
	}
	success["components"] = object{"schemas": schemas}
	text, err := json.Marshal(success)
	must(t, err)
	s, err := schema.Compile("schema", text)
	must(t, err)
	return s
}

// closed makes an object's schema refuse what it does not describe.
func closed(s any) {
	if o, ok := s.(object); ok && o["properties"] != nil && o["additionalProperties"] == nil {
		o["additionalProperties"] = false
	}
}
