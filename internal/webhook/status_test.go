package webhook_test

import (
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/webhook"
)

func TestStatuses(t *testing.T) {
	t.Parallel()
	now := newClock()
	type outcome struct {
		Class          webhook.ErrorClass
		RetryAfter     time.Duration
		Disable, Abort bool
	}
	retry := http.Header{"Retry-After": {"120"}}
	for name, c := range map[string]struct {
		status int
		header http.Header
		want   outcome
	}{
		"200":                     {200, nil, outcome{}},
		"204":                     {204, nil, outcome{}},
		"299":                     {299, retry, outcome{}},
		"300":                     {300, nil, outcome{Class: webhook.ClassRedirect}},
		"304":                     {304, nil, outcome{Class: webhook.ClassRedirect}},
		"400":                     {400, retry, outcome{Class: webhook.ClassStatus}},
		"410":                     {410, nil, outcome{Class: webhook.ClassStatus, Disable: true}},
		"429":                     {429, retry, outcome{Class: webhook.ClassStatus, RetryAfter: 2 * time.Minute}},
		"500":                     {500, retry, outcome{Class: webhook.ClassStatus}},
		"503":                     {503, retry, outcome{Class: webhook.ClassStatus, RetryAfter: 2 * time.Minute}},
		"503 without":             {503, nil, outcome{Class: webhook.ClassStatus}},
		"503 and nonsense":        {503, http.Header{"Retry-After": {"later"}}, outcome{Class: webhook.ClassStatus}},
		"429 until tomorrow week": {429, http.Header{"Retry-After": {"700000"}}, outcome{Class: webhook.ClassStatus, RetryAfter: 24 * time.Hour}},
		"429 until a date": {
			429,
			http.Header{"Retry-After": {now.now().Add(time.Minute).Format(http.TimeFormat)}},
			outcome{Class: webhook.ClassStatus, RetryAfter: time.Minute},
		},
		"wants no more": {200, http.Header{"Webhook-Delivery": {"disable"}}, outcome{Disable: true}},
		"wants no more, failing": {
			500, http.Header{"Webhook-Delivery": {" Disable "}}, outcome{Class: webhook.ClassStatus, Disable: true},
		},
		"wants this no more": {
			422, http.Header{"Webhook-Delivery": {"abort-message"}}, outcome{Class: webhook.ClassStatus, Abort: true},
		},
		"wants something else": {500, http.Header{"Webhook-Delivery": {"dance"}}, outcome{Class: webhook.ClassStatus}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), c.header)
				w.WriteHeader(c.status)
			})
			result := newClient(t, webhook.ClientConfig{Now: now.now}).Send(t.Context(), request(t, server.URL))
			wantClass(t, result, c.want.Class)
			got := outcome{result.Class, result.RetryAfter, result.Disable, result.Abort}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if result.StatusCode != c.status {
				t.Errorf("status is %d, want %d", result.StatusCode, c.status)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	target := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target.URL, status)
		})
		result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), request(t, server.URL))
		wantClass(t, result, webhook.ClassRedirect)
		if result.StatusCode != status || result.ResponseHeader.Get("Location") != target.URL {
			t.Errorf("status %d, location %q", result.StatusCode, result.ResponseHeader.Get("Location"))
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d redirects were followed", hits.Load())
	}
}
