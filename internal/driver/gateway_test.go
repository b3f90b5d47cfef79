package driver_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/driver/drivertest"
	"busbar/internal/webhook"
)

func TestGatewayAnswers(t *testing.T) {
	t.Parallel()
	refused, accepted := driver.Refused, driver.Accepted
	const no = `{"success":false,"errorCode":"TOO_COLD","message":"too cold"}`
	for name, c := range map[string]struct {
		result  webhook.Result
		outcome driver.Outcome
		err     *driver.Error
	}{
		"done":                 {result: said(200, `{"success":true,"message":"charging"}`), outcome: accepted("charging")},
		"done without a word":  {result: said(200, ` {"success":true} `), outcome: accepted("")},
		"done, and more":       {result: said(200, `{"success":true,"took":3}`), outcome: accepted("")},
		"no":                   {result: said(200, no), outcome: refused("TOO_COLD", "too cold")},
		"no, and no reason":    {result: said(200, `{"success":false}`), outcome: refused("DEVICE_REFUSED", "the gateway refused without saying why")},
		"no, on two lines":     {result: said(200, `{"success":false,"errorCode":"A\nB","message":" x\u0000y\r\n"}`), outcome: refused("A B", "x y")},
		"later":                {result: said(202, ``), outcome: driver.Pending("")},
		"later, whatever else": {result: said(202, `<html>`), outcome: driver.Pending("")},

		"200 without a word": {result: said(200, ``), outcome: refused("GATEWAY_ERROR", notAVerdict)},
		"200 with a page":    {result: said(200, `<html>sign in</html>`), outcome: refused("GATEWAY_ERROR", notAVerdict)},
		"200 with a list":    {result: said(200, `[{"success":true}]`), outcome: refused("GATEWAY_ERROR", notAVerdict)},
		"200 with null":      {result: said(200, `{"success":null}`), outcome: refused("GATEWAY_ERROR", notAVerdict)},
		"200 with a text":    {result: said(200, `{"success":"true"}`), outcome: refused("GATEWAY_ERROR", notAVerdict)},
		"200 with two":       {result: said(200, `{"success":true}{}`), outcome: refused("GATEWAY_ERROR", notAVerdict)},
		"200 and too long":   {result: webhook.Result{StatusCode: 200, ResponseBody: `{"success":true}`, Truncated: true}, outcome: refused("GATEWAY_ERROR", notAVerdict)},
		"204":                {result: said(204, ``), outcome: refused("GATEWAY_ERROR", "the gateway answered 204; 200 or 202 was expected")},

		"400 with a reason":       {result: said(400, no), outcome: refused("TOO_COLD", "too cold")},
		"401":                     {result: said(401, `nope`), outcome: refused("GATEWAY_ERROR", "the gateway answered 401; 200 or 202 was expected")},
		"410":                     {result: said(410, ``), outcome: refused("GATEWAY_ERROR", "the gateway answered 410; 200 or 202 was expected")},
		"422 that claims success": {result: said(422, `{"success":true}`), outcome: refused("GATEWAY_ERROR", "the gateway answered 422; 200 or 202 was expected")},
		"501":                     {result: said(501, ``), outcome: refused("GATEWAY_ERROR", "the gateway answered 501; 200 or 202 was expected")},
		"409 with a reason":       {result: said(409, no), outcome: refused("TOO_COLD", "too cold")},

		"409, still at work":  {result: said(409, ``), err: &driver.Error{Code: "CONFLICT", Message: "the gateway answered 409"}},
		"408":                 {result: said(408, ``), err: &driver.Error{Code: "TIMEOUT", Message: "the gateway answered 408"}},
		"425":                 {result: said(425, ``), err: &driver.Error{Code: "GATEWAY_UNAVAILABLE", Message: "the gateway answered 425"}},
		"500":                 {result: said(500, `oops`), err: &driver.Error{Code: "GATEWAY_UNAVAILABLE", Message: "the gateway answered 500"}},
		"500 claims success":  {result: said(500, `{"success":true}`), err: &driver.Error{Code: "GATEWAY_UNAVAILABLE", Message: "the gateway answered 500"}},
		"504":                 {result: said(504, ``), err: &driver.Error{Code: "TIMEOUT", Message: "the gateway answered 504"}},
		"503 with a reason":   {result: said(503, no), err: &driver.Error{Code: "TOO_COLD", Message: "too cold"}},
		"429":                 {result: waiting(429, time.Minute), err: &driver.Error{Code: "RATE_LIMITED", Message: "the gateway answered 429", RetryAfter: time.Minute}},
		"503 for a minute":    {result: waiting(503, time.Minute), err: &driver.Error{Code: "GATEWAY_UNAVAILABLE", Message: "the gateway answered 503", RetryAfter: time.Minute}},
		"the body broke off":  {result: failed(webhook.ClassProtocol), err: &driver.Error{Code: "GATEWAY_UNREACHABLE", Message: "why"}},
		"the body hangs":      {result: failed(webhook.ClassBodyTimeout), err: &driver.Error{Code: "TIMEOUT", Message: "why"}},
		"no answer":           {result: failed(webhook.ClassTimeout), err: &driver.Error{Code: "TIMEOUT", Message: "why"}},
		"no name":             {result: failed(webhook.ClassDNS), err: &driver.Error{Code: "GATEWAY_UNREACHABLE", Message: "why"}},
		"no connection":       {result: failed(webhook.ClassConnect), err: &driver.Error{Code: "GATEWAY_UNREACHABLE", Message: "why"}},
		"no TLS":              {result: failed(webhook.ClassTLS), err: &driver.Error{Code: "GATEWAY_UNREACHABLE", Message: "why"}},
		"redirect":            {result: failed(webhook.ClassRedirect), outcome: refused("GATEWAY_ERROR", "why")},
		"forbidden":           {result: failed(webhook.ClassForbidden), outcome: refused("ENDPOINT_URL_FORBIDDEN", "why")},
		"no request possible": {result: failed(webhook.ClassRequest), outcome: refused("DRIVER_MISCONFIGURED", "why")},
	} {
		outcome, err := driver.GatewayAnswer(c.result)
		e, _ := errors.AsType[*driver.Error](err)
		if diff := cmp.Diff(c.outcome, outcome) + cmp.Diff(c.err, e); diff != "" || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

const notAVerdict = `the gateway answered 200 with something else than {"success": …}`

func said(status int, body string) webhook.Result {
	r := webhook.Result{StatusCode: status, ResponseBody: body}
	if status >= 300 {
		r.Class = webhook.ClassStatus
	}
	return r
}

func waiting(status int, wait time.Duration) webhook.Result {
	r := said(status, "")
	r.RetryAfter = wait
	return r
}

func failed(class webhook.ErrorClass) webhook.Result {
	return webhook.Result{Class: class, Err: "why"}
}

// Whatever a gateway answers, it is one of the outcomes, and only a clear yes is a yes.
func FuzzGatewayAnswer(f *testing.F) {
	for _, body := range []string{``, `{"success":true}`, `{"success":false,"errorCode":"X","message":"y"}`, `{"success":`, "\xff\x00", `{"SUCCESS":true}`} {
		for _, status := range []int{200, 202, 204, 301, 400, 409, 429, 500, 503} {
			f.Add(status, body, false)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string, truncated bool) {
		r := said(status, body)
		r.Truncated = truncated
		outcome, err := driver.GatewayAnswer(r)
		if problem := drivertest.Sound(outcome, err); problem != "" {
			t.Fatal(problem)
		}
		if outcome.Kind != driver.KindAccepted {
			return
		}
		var claims map[string]any
		if err := json.Unmarshal([]byte(body), &claims); err != nil || status != http.StatusOK || truncated || !slices.Contains(slices.Collect(maps.Values(claims)), any(true)) {
			t.Errorf("%d %q was taken for a yes", status, body)
		}
	})
}

// What a gateway sees is in the contract, to the letter.
func TestGatewayRequest(t *testing.T) {
	t.Parallel()
	var header http.Header
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		header, body = r.Header.Clone(), string(raw)
		answer(w, http.StatusOK, `{"success":true}`)
	}))
	t.Cleanup(server.Close)
	d := newDriver(t, busbar.DriverHTTP, neverOffline)
	s := drivertest.Subject{Device: battery(busbar.Driver{Kind: busbar.DriverHTTP, URL: server.URL, Secret: drivertest.Secret})}
	r := s.Request(7)
	r.ActionID, r.IdempotencyKey, r.Phase, r.Try = "act_7", "act_7-revert", busbar.PhaseRevert, 4
	r.Instruction = busbar.Instruction{Command: busbar.ModeBalanced}
	if outcome, err := d.Push(t.Context(), r); err != nil || outcome.Kind != driver.KindAccepted {
		t.Fatalf("got %+v, %v", outcome, err)
	}
	want := `{"actionId":"act_7","deviceId":"dev_1","deviceType":"battery","command":"auto.balanced","parameters":{}}`
	if body != want {
		t.Errorf("body is %s, want %s", body, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "Busbar/1.2.3", "Idempotency-Key": "act_7-revert",
		"Webhook-Id": "act_7-revert", "Svix-Id": "act_7-revert", "Busbar-Attempt": "4", "Busbar-Environment": "sandbox",
	} {
		if header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, header.Get(name), want)
		}
	}
	if !strings.HasPrefix(header.Get("Webhook-Signature"), "v1,") {
		t.Errorf("signature is %q", header.Get("Webhook-Signature"))
	}

	r.Device.Driver.Secret = ""
	if outcome, err := d.Push(t.Context(), r); err != nil || outcome.Kind != driver.KindAccepted || header.Get("Webhook-Signature") != "" {
		t.Errorf("without a secret: got %+v, %v, signature %q", outcome, err, header.Get("Webhook-Signature"))
	}
	header = nil
	r.Device.Driver.Secret = "hunter2"
	outcome, err := d.Push(t.Context(), r)
	if err != nil || outcome.Code != driver.CodeMisconfigured || strings.Contains(outcome.Message, "hunter2") || header != nil {
		t.Errorf("with an unusable secret: got %+v, %v, sent %v", outcome, err, header)
	}
}

// A gateway that closes a kept connection may have acted on the command: it is asked again by a try on record, not by the
// transport, which would because of the key.
func TestACommandIsNotSentAgainBehindItsTry(t *testing.T) {
	t.Parallel()
	var commands atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if commands.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		answer(w, http.StatusOK, `{"success":true}`)
	}))
	t.Cleanup(server.Close)
	d := newDriver(t, busbar.DriverHTTP, neverOffline)
	s := drivertest.Subject{Device: battery(busbar.Driver{Kind: busbar.DriverHTTP, URL: server.URL, Secret: drivertest.Secret})}
	if outcome, err := d.Push(t.Context(), s.Request(1)); err != nil || outcome.Kind != driver.KindAccepted {
		t.Fatalf("the first command: %+v, %v", outcome, err)
	}
	outcome, err := d.Push(t.Context(), s.Request(2))
	if transient, ok := errors.AsType[*driver.Error](err); !ok || transient.Code != driver.CodeUnreachable || commands.Load() != 2 {
		t.Errorf("a command whose connection was closed: %+v, %v, after %d requests, want an error after 2", outcome, err, commands.Load())
	}
}

// The address is checked where it is dialled, and a redirect is no way around it.
func TestGatewayIsGuarded(t *testing.T) {
	t.Parallel()
	var inside atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	t.Cleanup(target.Close)
	redirect := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirect.Close)
	d := newDriver(t, busbar.DriverHTTP, neverOffline)
	for url, want := range map[string]string{
		redirect.URL:                driver.CodeGatewayError,
		"http://169.254.169.254/":   driver.CodeForbidden,
		"http://10.0.0.1/":          driver.CodeForbidden,
		"http://user:pw@127.0.0.1/": driver.CodeForbidden,
		"ftp://127.0.0.1/":          driver.CodeForbidden,
		"not a URL":                 driver.CodeMisconfigured,
		"":                          driver.CodeMisconfigured,
		"http://127.0.0.1:1/nobody": driver.CodeUnreachable,
	} {
		s := drivertest.Subject{Device: battery(busbar.Driver{Kind: busbar.DriverHTTP, URL: url, Secret: drivertest.Secret})}
		outcome, err := d.Push(t.Context(), s.Request(1))
		code := outcome.Code
		if e, ok := errors.AsType[*driver.Error](err); ok {
			code = e.Code
		}
		if code != want {
			t.Errorf("%s: got %+v, %v, want %s", url, outcome, err, want)
		}
	}
	if inside.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// More than 16 KiB is not read, and what is cut is no answer.
func TestGatewayAnswerIsBounded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1024)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	s := drivertest.Subject{Device: battery(busbar.Driver{Kind: busbar.DriverHTTP, URL: server.URL})}
	outcome, err := newDriver(t, busbar.DriverHTTP, neverOffline).Push(t.Context(), s.Request(1))
	if err != nil || outcome.Code != driver.CodeGatewayError {
		t.Errorf("got %+v, %v", outcome, err)
	}
}
