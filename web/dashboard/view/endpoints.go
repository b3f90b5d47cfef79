package view

import (
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// EndpointsPage is the list of endpoints.
type EndpointsPage struct {
	Now       time.Time
	Endpoints []api.Endpoint
	Day       *Day
}

// EndpointPage is one endpoint.
type EndpointPage struct {
	Now        time.Time
	Endpoint   api.Endpoint
	Day        *Day
	Deliveries []api.Delivery
	Jobs       []api.Job
	// Stats are of the last 24 hours.
	Stats api.Counts
	Types []string
	Form  Form
	// Test is the attempt of a test send that was just made.
	Test *TestSend
}

// TestSend is how a test send went, or why it was not made.
type TestSend struct {
	Result  *api.TestResult
	Problem string
}

// EndpointFormPage creates or changes an endpoint.
type EndpointFormPage struct {
	// Endpoint is nil for a new one.
	Endpoint *api.Endpoint
	Form     Form
	Types    []string
}

// SecretPage shows the keys that sign for an endpoint.
type SecretPage struct {
	Endpoint api.Endpoint
	Secrets  api.Secrets
	Created  bool
	Now      time.Time
}

func wants(e *api.Endpoint) string {
	switch {
	case len(e.EventTypes) == 0:
		return "everything but operational events"
	case len(e.EventTypes) == 1 && e.EventTypes[0] == "*":
		return "everything"
	default:
		return strings.Join(e.EventTypes, ", ")
	}
}

// took is a duration that half, or nearly all, attempts kept within; an en dash when there were none.
func took(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return Milliseconds(*ms)
}

func endpointPath(f Frame, id busbar.EndpointID, more string) string {
	return f.At("/endpoints/" + string(id) + more)
}

// snippet is a receiver that verifies.
type snippet struct{ id, name, code string }

// snippets carry the real secret, so that they run as they are. It is base64 with a prefix and needs no quoting.
func (p SecretPage) snippets() []snippet {
	if p.Secrets.Secret == "" {
		return nil
	}
	node := `import { Webhook } from "standardwebhooks";
import express from "express";

const webhook = new Webhook("` + p.Secrets.Secret + `");

express()
  .post("/hook", express.raw({ type: "*/*" }), (req, res) => {
    const event = webhook.verify(req.body, req.headers); // throws when it is not from Busbar
    console.log(event.type, event.data);
    res.sendStatus(204);
  })
  .listen(9000);
`
	python := `from flask import Flask, request
from standardwebhooks.webhooks import Webhook

app = Flask(__name__)
webhook = Webhook("` + p.Secrets.Secret + `")

@app.post("/hook")
def hook():
    event = webhook.verify(request.data, dict(request.headers))  # raises when it is not from Busbar
    print(event["type"], event["data"])
    return "", 204
`
	golang := `webhook, err := standardwebhooks.NewWebhook("` + p.Secrets.Secret + `")
if err != nil {
	log.Fatal(err)
}
http.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil {
		err = webhook.Verify(body, r.Header)
	}
	if err != nil { // it is not from Busbar
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
})
`
	return []snippet{{"node", "JavaScript", node}, {"python", "Python", python}, {"go", "Go", golang}}
}

// halfOpen says in words what a half-open circuit does.
func halfOpen(c api.Circuit) string {
	if c.Failures > 0 {
		return "being tried"
	}
	return "catching up"
}
