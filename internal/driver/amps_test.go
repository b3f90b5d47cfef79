package driver_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/driver/drivertest"
	"busbar/internal/webhook"
)

func TestAmpsAnswers(t *testing.T) {
	t.Parallel()
	refused := driver.Refused
	transient := func(code string) *driver.Error { return &driver.Error{Code: code, Message: "why"} }
	slowly := func(code string) *driver.Error {
		return &driver.Error{Code: code, Message: "why", RetryAfter: 30 * time.Second}
	}
	bad := func(status int) driver.Outcome {
		return refused("GATEWAY_ERROR", fmt.Sprintf("the API answered %d with something else than its envelope; is the driver's url its base?", status))
	}
	action := func(fields string) webhook.Result {
		return said(http.StatusAccepted, `{"success":true,"data":{"id":"act_1","errorCode":null,"errorMessage":null,"result":null,`+fields+`}}`)
	}
	no := func(status int, code string) webhook.Result {
		return said(status, fmt.Sprintf(`{"success":false,"error":{"code":%q,"message":"why","details":{"reason":"r"}}}`, code))
	}
	for name, c := range map[string]struct {
		result  webhook.Result
		outcome driver.Outcome
		err     *driver.Error
	}{
		"taken":               {result: action(`"state":"acknowledged"`), outcome: driver.Pending("act_1")},
		"to come":             {result: action(`"state":"scheduled"`), outcome: driver.Pending("act_1")},
		"in a newer state":    {result: action(`"state":"verifying"`), outcome: driver.Pending("act_1")},
		"done":                {result: action(`"state":"completed","result":{"success":true,"message":"Mode\napplied"}`), outcome: driver.Accepted("Mode applied")},
		"done, without words": {result: action(`"state":"completed"`), outcome: driver.Accepted("")},
		"cancelled":           {result: action(`"state":"cancelled"`), outcome: refused("REMOTE_CANCELLED", "the command was cancelled at the API, or another took its place")},
		"failed for good":     {result: action(`"state":"failed","errorCode":"SCHEDULER_ACTIVE","errorMessage":"why"`), outcome: refused("SCHEDULER_ACTIVE", "why")},
		"gave up":             {result: action(`"state":"failed","errorCode":"EXPIRED","errorMessage":"why"`), outcome: refused("EXPIRED", "why")},
		"failed, no reason":   {result: action(`"state":"failed"`), outcome: refused("DEVICE_REFUSED", "the API gave no reason")},
		"failed for now":      {result: action(`"state":"failed","errorCode":"DEVICE_OFFLINE","errorMessage":"why"`), err: transient("DEVICE_OFFLINE")},
		"no id":               {result: said(202, `{"success":true,"data":{"state":"acknowledged"}}`), outcome: refused("GATEWAY_ERROR", "the API answered with an action that has no usable id or state")},
		"an id that is a way": {result: said(202, `{"success":true,"data":{"id":"../keys","state":"acknowledged"}}`), outcome: refused("GATEWAY_ERROR", "the API answered with an action that has no usable id or state")},
		"no action":           {result: said(202, `{"success":true,"data":[]}`), outcome: refused("GATEWAY_ERROR", "the API answered with data of another form")},

		"unknown key":       {result: no(401, "INVALID_API_KEY"), outcome: refused("INVALID_API_KEY", "why")},
		"expired key":       {result: no(401, "EXPIRED_TOKEN"), outcome: refused("EXPIRED_TOKEN", "why")},
		"not allowed":       {result: no(403, "INSUFFICIENT_PERMISSIONS"), outcome: refused("INSUFFICIENT_PERMISSIONS", "why")},
		"not live":          {result: no(403, "LIVE_ACCESS_DISABLED"), outcome: refused("LIVE_ACCESS_DISABLED", "why")},
		"no such device":    {result: no(404, "DEVICE_NOT_FOUND"), outcome: refused("DEVICE_NOT_FOUND", "why")},
		"no such command":   {result: no(422, "UNSUPPORTED_MODE"), outcome: refused("UNSUPPORTED_MODE", "why")},
		"not built":         {result: no(501, "NOT_IMPLEMENTED"), outcome: refused("NOT_IMPLEMENTED", "why")},
		"a code of later":   {result: no(400, "SOMETHING_NEW"), outcome: refused("SOMETHING_NEW", "why")},
		"a burst":           {result: no(401, "UNAUTHORIZED"), err: slowly("UNAUTHORIZED")},
		"too many":          {result: no(429, "RATE_LIMIT_EXCEEDED"), err: slowly("RATE_LIMITED")},
		"too many, older":   {result: no(401, "RATE_LIMIT_EXCEEDED"), err: slowly("RATE_LIMITED")},
		"busy":              {result: no(409, "CONFLICT"), err: transient("CONFLICT")},
		"offline":           {result: no(422, "DEVICE_OFFLINE"), err: transient("DEVICE_OFFLINE")},
		"broken":            {result: no(500, "INTERNAL_ERROR"), err: transient("INTERNAL_ERROR")},
		"broken in a way":   {result: no(502, "SOMETHING_NEW"), err: transient("SOMETHING_NEW")},
		"401 of a proxy":    {result: said(401, "<html>"), err: &driver.Error{Code: "UNAUTHORIZED", Message: "the API gave no reason", RetryAfter: 30 * time.Second}},
		"502 of a proxy":    {result: said(502, "<html>"), err: &driver.Error{Code: "GATEWAY_UNAVAILABLE", Message: "the API answered 502"}},
		"no 2xx of success": {result: said(404, `{"success":true,"data":{}}`), outcome: bad(404)},
		"404 of a proxy":    {result: said(404, "<html>"), outcome: bad(404)},
		"200 of a page":     {result: said(200, "<html>"), outcome: bad(200)},
		"an old envelope":   {result: said(200, `{"data":{"id":"act_1","state":"completed"}}`), outcome: bad(200)},
		"cut":               {result: webhook.Result{StatusCode: 200, ResponseBody: `{"success":true,"data":{"id":"a","state":"completed"}}`, Truncated: true}, outcome: bad(200)},
		"no answer":         {result: failed(webhook.ClassTimeout), err: transient("TIMEOUT")},
		"a redirect":        {result: failed(webhook.ClassRedirect), outcome: refused("GATEWAY_ERROR", "why")},
	} {
		outcome, err := driver.AmpsAction(c.result)
		e, _ := errors.AsType[*driver.Error](err)
		if diff := cmp.Diff(c.outcome, outcome) + cmp.Diff(c.err, e); diff != "" || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func FuzzAmpsAction(f *testing.F) {
	for _, body := range []string{
		``, `{"success":true,"data":{"id":"act_1","state":"acknowledged"}}`, `{"success":true,"data":{"id":"act_1","state":"completed","result":{"message":"x"}}}`,
		`{"success":true,"data":{"id":"act_1","state":"failed","errorCode":"TIMEOUT"}}`, `{"success":false,"error":{"code":"CONFLICT","message":"x"}}`,
		`{"success":false,"error":{"code":" "}}`, `{"success":true,"data":null}`,
	} {
		for _, status := range []int{200, 202, 401, 404, 409, 422, 429, 500} {
			f.Add(status, body, false)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string, truncated bool) {
		r := said(status, body)
		r.Truncated = truncated
		outcome, err := driver.AmpsAction(r)
		if problem := drivertest.Sound(outcome, err); problem != "" {
			t.Fatal(problem)
		}
		if outcome.Kind == driver.KindAccepted && (status >= 300 || truncated) {
			t.Errorf("%d %q was taken for a yes", status, body)
		}
	})
}

func ampsSubject(t *testing.T, side *ampsSide) *drivertest.Subject {
	t.Helper()
	return &drivertest.Subject{
		Driver: newDriver(t, busbar.DriverAmps, neverOffline),
		Device: battery(busbar.Driver{Kind: busbar.DriverAmps, URL: side.url + "/v1", DeviceID: "device_abc123", Secret: drivertest.Secret}),
	}
}

// An action that an earlier try left is found whatever has become of it, and nobody else's is taken for it.
func TestAmpsLooksForWhatItLeft(t *testing.T) {
	t.Parallel()
	same := map[string]busbar.Quantity{"target": {Value: 90, Unit: "percent"}, "power": {Value: 2500, Unit: "watts"}}
	other := map[string]busbar.Quantity{"target": {Value: 90, Unit: "percent"}, "power": {Value: 3, Unit: "kw"}}
	for name, c := range map[string]struct {
		left   ampsSideAction
		want   driver.Outcome
		pushes int
	}{
		"completed": {left: ampsSideAction{Command: "charge", Parameters: same, State: "completed"}, want: driver.Accepted("")},
		"cancelled": {
			left: ampsSideAction{Command: "charge", Parameters: same, State: "cancelled"},
			want: driver.Refused("REMOTE_CANCELLED", "the command was cancelled at the API, or another took its place"),
		},
		"under way":       {left: ampsSideAction{Command: "charge", Parameters: same, State: "acknowledged"}, want: driver.Pending("act_left")},
		"failed":          {left: ampsSideAction{Command: "charge", Parameters: same, State: "failed"}, want: driver.Pending("act_2"), pushes: 1},
		"another command": {left: ampsSideAction{Command: "discharge", Parameters: same, State: "completed"}, want: driver.Pending("act_2"), pushes: 1},
		"another power":   {left: ampsSideAction{Command: "charge", Parameters: other, State: "completed"}, want: driver.Pending("act_2"), pushes: 1},
		"no parameters":   {left: ampsSideAction{Command: "charge", State: "completed"}, want: driver.Pending("act_2"), pushes: 1},
		"scheduled by somebody else": {
			left: ampsSideAction{Command: "idle", State: "scheduled"}, want: driver.Pending("act_2"), pushes: 1,
		},
	} {
		side := newAmpsSide(t, false, 0)
		s := ampsSubject(t, side)
		r := s.Request(1)
		r.Try, r.FirstTryAt = 2, time.Now()
		c.left.ID, c.left.DeviceID = "act_left", "device_abc123"
		side.add(c.left)
		outcome, err := s.Driver.Push(t.Context(), r)
		if err != nil || outcome != c.want || len(side.pushes) != c.pushes {
			t.Errorf("%s: got %+v, %v after %d pushes; want %+v after %d", name, outcome, err, len(side.pushes), c.want, c.pushes)
		}
	}
}

// What was done before the first try began is not what it did.
func TestAmpsTakesNothingOldForItsOwn(t *testing.T) {
	t.Parallel()
	side := newAmpsSide(t, false, 0)
	s := ampsSubject(t, side)
	r := s.Request(1)
	side.add(ampsSideAction{ID: "act_old", DeviceID: "device_abc123", Command: "charge", Parameters: r.Instruction.Parameters, State: "completed"})
	r.Try, r.FirstTryAt = 2, time.Now().Add(time.Minute)
	outcome, err := s.Driver.Push(t.Context(), r)
	if err != nil || outcome != driver.Pending("act_2") {
		t.Errorf("got %+v, %v", outcome, err)
	}
}

// A command that waits at the API gives way; one that is under way is waited for.
func TestAmpsConflicts(t *testing.T) {
	t.Parallel()
	side := newAmpsSide(t, false, 0)
	s := ampsSubject(t, side)
	side.add(ampsSideAction{ID: "act_next_month", DeviceID: "device_abc123", Command: "idle", State: "scheduled"})
	if outcome, err := s.Driver.Push(t.Context(), s.Request(1)); err != nil || outcome.Kind != driver.KindPending {
		t.Fatalf("got %+v, %v", outcome, err)
	}
	if state := side.state("act_next_month"); state != "cancelled" {
		t.Errorf("the waiting command is %s", state)
	}
	outcome, err := s.Driver.Push(t.Context(), s.Request(2))
	if e, ok := errors.AsType[*driver.Error](err); !ok || e.Code != driver.CodeConflict {
		t.Errorf("while another is under way: got %+v, %v", outcome, err)
	}
}

// Only an action that has ended without effect is to be pushed again; one that could not be asked for is polled again.
func TestAmpsPollTellsWhatIsOver(t *testing.T) {
	t.Parallel()
	side := newAmpsSide(t, false, 0)
	s := ampsSubject(t, side)
	poller := s.Driver.(driver.Poller)
	side.behave(drivertest.Offline)
	taken, err := s.Driver.Push(t.Context(), s.Request(1))
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := poller.Poll(t.Context(), s.Request(1), taken.Remote)
	if e, ok := errors.AsType[*driver.Error](err); !ok || !e.Over {
		t.Errorf("failed at the API: got %+v, %v", outcome, err)
	}
	away := s.Request(1)
	away.Device.Driver.URL = "http://127.0.0.1:1"
	outcome, err = poller.Poll(t.Context(), away, taken.Remote)
	if e, ok := errors.AsType[*driver.Error](err); !ok || e.Over {
		t.Errorf("API away: got %+v, %v", outcome, err)
	}
	if outcome, err = poller.Poll(t.Context(), s.Request(1), "act_9"); err != nil || outcome.Code != "NOT_FOUND" {
		t.Errorf("no such action: got %+v, %v", outcome, err)
	}
}

func TestAmpsSettingsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	hit := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) }))
	t.Cleanup(hit.Close)
	for name, d := range map[string]busbar.Driver{
		"no device":              {URL: hit.URL, Secret: "k"},
		"a device that is a way": {URL: hit.URL, DeviceID: "..", Secret: "k"},
		"a slash in the device":  {URL: hit.URL, DeviceID: "a/b", Secret: "k"},
		"a base with a query":    {URL: hit.URL + "?a=b", DeviceID: "a", Secret: "k"},
		"a key on two lines":     {URL: hit.URL, DeviceID: "a", Secret: "hunter2\nx"},
		"no base":                {DeviceID: "a", Secret: "k"},
	} {
		s := drivertest.Subject{Driver: newDriver(t, busbar.DriverAmps, neverOffline), Device: battery(d)}
		outcome, err := s.Driver.Push(t.Context(), s.Request(1))
		if err != nil || outcome.Code != driver.CodeMisconfigured {
			t.Errorf("%s: push gives %+v, %v", name, outcome, err)
		}
		_, err = s.Driver.(driver.Reader).Read(t.Context(), s.Device)
		if e, ok := errors.AsType[*driver.RefusedError](err); !ok || e.Code != driver.CodeMisconfigured {
			t.Errorf("%s: read gives %v", name, err)
		}
	}
}
