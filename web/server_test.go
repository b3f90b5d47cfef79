package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"busbar"
	"busbar/internal/intake"
	"busbar/web"
)

func TestPanicBecomesAnErrorWithItsRequestID(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{intake: func(web.Intake) web.Intake { return &panicking{} }})
	got := a.send(http.MethodPost, "/v1/events", `{"type":"device.connected","data":{}}`)
	if got.Status != http.StatusInternalServerError || got.Error.Code != busbar.CodeInternal || !strings.Contains(got.Error.Message, got.Meta.RequestID) {
		t.Errorf("answer: %d %s", got.Status, got.Body)
	}
	if strings.Contains(got.Body, "boom") {
		t.Error("the answer tells what panicked")
	}
	for _, text := range []string{"boom", got.Meta.RequestID, "createEvent"} {
		if !strings.Contains(a.logs.String(), text) {
			t.Errorf("the log lacks %s", text)
		}
	}
	if again := a.send(http.MethodGet, "/v1/events", ""); again.Status != http.StatusOK {
		t.Errorf("the next request: %d", again.Status)
	}
}

type panicking struct{ brokenIntake }

func (*panicking) Accept(context.Context, busbar.Environment, []intake.Candidate, *intake.Idempotency) ([]intake.Outcome, error) {
	panic("boom")
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	server := httptest.NewServer(a.handler)
	defer server.Close()
	for _, path := range []string{"/healthz", "/v1/events", "/login"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+path, http.NoBody)
		must(t, err)
		r.Header.Set("X-Api-Key", sandboxKey)
		res, err := server.Client().Do(r)
		must(t, err)
		body, err := io.ReadAll(res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusOK || len(body) != 0 {
			t.Errorf("HEAD %s: %d with %d bytes", path, res.StatusCode, len(body))
		}
	}
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	got := a.send(http.MethodPut, "/v1/events", "")
	if allow := got.Header.Get("Allow"); !strings.Contains(allow, http.MethodPost) || got.Error.Code != busbar.CodeNotFound {
		t.Errorf("Allow %q, %s", allow, got.Body)
	}
}

func TestReadinessIsLatchedOnceAWorkerPolled(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for _, step := range []struct {
		is     web.Readiness
		status int
	}{
		{web.Readiness{Accepting: true}, http.StatusServiceUnavailable},
		{web.Readiness{Accepting: true, WorkersPolling: true, Backlog: 7}, http.StatusOK},
		{web.Readiness{Accepting: true, Backlog: 9}, http.StatusOK},
		{web.Readiness{WorkersPolling: true}, http.StatusServiceUnavailable},
	} {
		a.ready.Store(&step.is)
		got := a.send(http.MethodGet, "/readyz", "", "x-api-key: ")
		var body web.Readiness
		must(t, json.Unmarshal([]byte(got.Body), &body))
		if got.Status != step.status || body != step.is {
			t.Errorf("%+v: %d %s", step.is, got.Status, got.Body)
		}
	}
	if got := a.send(http.MethodGet, "/healthz", "", "x-api-key: "); got.Status != http.StatusOK {
		t.Errorf("health: %d", got.Status)
	}
}

func TestMetricsCountByRouteAndTellNothingElse(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.send(http.MethodGet, "/v1/events/evt_secret_id", "")
	a.send(http.MethodGet, "/nowhere/else", "")
	a.send("INVENTED", "/v1/events", "")
	got := a.send(http.MethodGet, "/metrics", "", "x-api-key: ").Body
	for _, line := range []string{
		`busbar_http_requests_total{method="GET",route="/v1/events/{id}",status="404"} 1`,
		`busbar_http_requests_total{method="GET",route="none",status="404"} 1`,
		`busbar_http_requests_total{method="other",route="none",status="404"} 1`,
		`busbar_http_request_duration_seconds_count{method="GET",route="/v1/events/{id}"} 1`,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	for _, text := range []string{"evt_secret_id", "nowhere", "INVENTED", "sk_test"} {
		if strings.Contains(got, text) {
			t.Errorf("metrics tell %s", text)
		}
	}
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for _, path := range []string{"/", "/v1/events", "/nowhere", "/healthz", "/metrics"} {
		got := a.send(http.MethodGet, path, "")
		for _, name := range []string{"X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Content-Security-Policy", "X-Request-Id", "Cache-Control"} {
			if got.Header.Get(name) == "" {
				t.Errorf("%s lacks %s", path, name)
			}
		}
	}
}

// A body without a declared length is read to where its sender has had a chance to hear of the limit, and no further.
func TestLargeBodyIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	body := &endless{}
	r := httptest.NewRequest(http.MethodPost, "/v1/events", body)
	r.ContentLength = -1
	r.Header.Set("X-Api-Key", sandboxKey)
	if got := a.do(r); got.Status != http.StatusRequestEntityTooLarge || got.Error.Code != busbar.CodePayloadTooLarge {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if body.read > 20<<20 {
		t.Errorf("%d bytes were read", body.read)
	}
}

// A client that sends all before it looks for the answer gets it, too.
func TestLargeBodyIsAnsweredToThoseWhoSendAllOfIt(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	large := strings.Repeat(" ", 12<<20)
	for name, sent := range map[string]string{
		"declared": "Content-Length: 12582912\r\n\r\n" + large,
		"chunked":  "Transfer-Encoding: chunked\r\n\r\nc00000\r\n" + large + "\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			must(t, err)
			defer func() { must(t, conn.Close()) }()
			_, err = io.WriteString(conn, "POST /v1/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: "+sandboxKey+"\r\n"+sent)
			must(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			defer res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%d", res.StatusCode)
			}
		})
	}
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestHTTPServerBoundsConnections(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := web.HTTPServer(a.handler, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	defer func() {
		must(t, server.Shutdown(t.Context()))
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	}()
	if server.ReadHeaderTimeout == 0 || server.ReadTimeout == 0 || server.WriteTimeout == 0 || server.IdleTimeout == 0 {
		t.Errorf("a time-out is missing: %+v", server)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/healthz", http.NoBody)
	must(t, err)
	r.Header.Set("X-Large", strings.Repeat("x", 64<<10))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large header: %d", res.StatusCode)
	}
	// Over a real connection a test send moves the deadline of its answer.
	a.cluster.deliverAtOnce()
	id, _ := a.createEndpoint(plainEndpoint)
	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+"/v1/endpoints/"+id+"/test", http.NoBody)
	must(t, err)
	r.Header.Set("X-Api-Key", sandboxKey)
	res, err = client.Do(r)
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("test send: %d", res.StatusCode)
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := web.New(web.Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
	ready := func(context.Context) web.Readiness { return web.Readiness{} }
	if _, err := web.New(web.Config{Ready: ready}); err == nil || !strings.Contains(err.Error(), "store") {
		t.Errorf("without a store: %v", err)
	}
}
