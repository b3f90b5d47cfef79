package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar"
	"busbar/internal/simulator"
)

const key = "sk_test_of_the_simulated_home"

// fake is a Busbar as the contract describes it, as far as a home can see. It answers without a network, so that
// tests run on the clock of synctest.
type fake struct {
	t   *testing.T
	mux *http.ServeMux

	mu       sync.Mutex
	key      string
	site     map[string]any
	devices  map[busbar.DeviceID]*fakeDevice
	actions  []*fakeAction
	faults   []map[string]any
	readings []fakeReading
	// trouble answers instead of the API when it is not nil.
	trouble  func(*http.Request) (int, string)
	requests int
}

type fakeDevice struct {
	created    map[string]any
	connection []string
	state      busbar.State
}

type fakeReading struct {
	DeviceID   busbar.DeviceID `json:"deviceId"`
	ObservedAt time.Time       `json:"observedAt"`
	State      busbar.State    `json:"state"`
	at         time.Time
}

type fakeAction struct {
	id, key  string
	device   busbar.DeviceID
	order    busbar.Instruction
	results  []fakeResult
	resultAt time.Time
	// stays: the dispatch is asked for even though it was answered.
	stays bool
}

type fakeResult struct {
	Success   bool   `json:"success"`
	Message   string `json:"message"`
	ErrorCode string `json:"errorCode"`
	Key       string `json:"key"`
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, mux: http.NewServeMux(), key: key, devices: map[busbar.DeviceID]*fakeDevice{}}
	f.mux.HandleFunc("POST /v1/sites", f.postSite)
	f.mux.HandleFunc("GET /v1/sites/{id}", f.getSite)
	f.mux.HandleFunc("POST /v1/devices", f.postDevice)
	f.mux.HandleFunc("GET /v1/{segment}/{id}", f.getDevice)
	f.mux.HandleFunc("POST /v1/devices/{id}/connection", f.postConnection)
	f.mux.HandleFunc("POST /v1/devices/state", f.postState)
	f.mux.HandleFunc("GET /v1/actions", f.getActions)
	f.mux.HandleFunc("POST /v1/actions/{id}/result", f.postResult)
	f.mux.HandleFunc("GET /v1/simulator/faults", f.getFaults)
	return f
}

// RoundTrip answers a request in place.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	w := httptest.NewRecorder()
	if f.trouble != nil {
		if status, code := f.trouble(r); status != 0 {
			f.fail(w, status, code)
			return w.Result(), nil
		}
	}
	if r.Header.Get("X-Api-Key") != f.key {
		f.fail(w, http.StatusUnauthorized, "INVALID_API_KEY")
		return w.Result(), nil
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	f.mux.ServeHTTP(w, r)
	return w.Result(), nil
}

func (f *fake) fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	f.write(w, map[string]any{"success": false, "error": map[string]any{"code": code, "message": "because of the test"}})
}

func (f *fake) answer(w http.ResponseWriter, status int, data any) {
	w.WriteHeader(status)
	f.write(w, map[string]any{"success": true, "data": data})
}

func (f *fake) write(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Errorf("write answer: %v", err)
	}
}

func (f *fake) read(r *http.Request, into any) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		f.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
}

func (f *fake) postSite(w http.ResponseWriter, r *http.Request) {
	if f.site != nil {
		f.fail(w, http.StatusConflict, "CONFLICT")
		return
	}
	f.read(r, &f.site)
	f.site["createdAt"] = time.Now().UTC()
	f.answer(w, http.StatusCreated, f.site)
}

func (f *fake) getSite(w http.ResponseWriter, _ *http.Request) {
	if f.site == nil {
		f.fail(w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	f.answer(w, http.StatusOK, f.site)
}

func (f *fake) postDevice(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	f.read(r, &body)
	id := busbar.DeviceID(body["id"].(string))
	if f.devices[id] != nil {
		f.fail(w, http.StatusConflict, "CONFLICT")
		return
	}
	f.devices[id] = &fakeDevice{created: body, state: busbar.State{}}
	f.answer(w, http.StatusCreated, body)
}

func (f *fake) getDevice(w http.ResponseWriter, r *http.Request) {
	d := f.devices[busbar.DeviceID(r.PathValue("id"))]
	if d == nil || busbar.Family(d.created["type"].(string)).Segment() != r.PathValue("segment") {
		f.fail(w, http.StatusNotFound, "DEVICE_NOT_FOUND")
		return
	}
	f.answer(w, http.StatusOK, map[string]any{"state": d.state})
}

func (f *fake) postConnection(w http.ResponseWriter, r *http.Request) {
	d := f.devices[busbar.DeviceID(r.PathValue("id"))]
	if d == nil {
		f.fail(w, http.StatusNotFound, "DEVICE_NOT_FOUND")
		return
	}
	var body struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
	}
	f.read(r, &body)
	d.connection = append(d.connection, body.Status)
	f.answer(w, http.StatusOK, map[string]any{})
}

func (f *fake) postState(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Readings []fakeReading `json:"readings"`
	}
	f.read(r, &body)
	if n := len(body.Readings); n < 1 || n > busbar.MaxReadings {
		f.t.Errorf("%d readings in one request", n)
	}
	items := make([]map[string]any, 0, len(body.Readings))
	for _, reading := range body.Readings {
		d := f.devices[reading.DeviceID]
		if d == nil {
			items = append(items, map[string]any{"deviceId": reading.DeviceID, "error": map[string]any{"code": "DEVICE_NOT_FOUND", "message": "gone"}})
			continue
		}
		if _, err := busbar.Family(d.created["type"].(string)).Spec().CheckState("state", reading.State); err != nil {
			f.t.Errorf("%s reports %v: %v", reading.DeviceID, reading.State, err)
		}
		reading.at = time.Now()
		f.readings = append(f.readings, reading)
		d.state = d.state.Merge(reading.State)
		items = append(items, map[string]any{"deviceId": reading.DeviceID, "status": "updated"})
	}
	f.answer(w, http.StatusAccepted, items)
}

// getActions gives one action a page, so that paging is tried, too.
func (f *fake) getActions(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("state") != "acknowledged" {
		f.t.Errorf("asks for %s", r.URL)
	}
	var open []map[string]any
	for _, a := range f.actions {
		if len(a.results) > 0 && !a.stays {
			continue
		}
		open = append(open, map[string]any{
			"id": a.id, "deviceId": a.device, "state": "acknowledged",
			"dispatch": map[string]any{"key": a.key, "phase": "push", "command": a.order.Command, "parameters": a.order.Parameters, "at": time.Now()},
		})
	}
	open = append(open, map[string]any{"id": "act_other", "deviceId": simulator.Battery, "state": "acknowledged"})
	at := strings.Count(r.URL.Query().Get("cursor"), "x")
	page := map[string]any{"items": open[at : at+1], "nextCursor": nil}
	if at+1 < len(open) {
		page["nextCursor"] = strings.Repeat("x", at+1)
	}
	f.answer(w, http.StatusOK, page)
}

func (f *fake) postResult(w http.ResponseWriter, r *http.Request) {
	for _, a := range f.actions {
		if a.id != r.PathValue("id") {
			continue
		}
		var result fakeResult
		f.read(r, &result)
		a.results = append(a.results, result)
		a.resultAt = time.Now()
		f.answer(w, http.StatusOK, map[string]any{})
		return
	}
	f.fail(w, http.StatusNotFound, "NOT_FOUND")
}

func (f *fake) getFaults(w http.ResponseWriter, _ *http.Request) {
	f.answer(w, http.StatusOK, map[string]any{"items": append([]map[string]any{}, f.faults...), "nextCursor": nil})
}

// with looks at the fake or changes it.
func (f *fake) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// push asks for a command and returns its action, whose results the home reports.
func (f *fake) push(id string, device busbar.DeviceID, command string, parameters map[string]busbar.Quantity) *fakeAction {
	a := &fakeAction{id: id, key: id, device: device, order: busbar.Instruction{Command: command, Parameters: parameters}}
	f.with(func() { f.actions = append(f.actions, a) })
	return a
}

func (f *fake) misbehave(device busbar.DeviceID, kind busbar.FaultKind, lasts, delay time.Duration) {
	f.with(func() {
		f.faults = append(f.faults, map[string]any{"deviceId": device, "kind": kind, "until": time.Now().Add(lasts), "delay": delay.String()})
	})
}

// of lists a device's readings since a time.
func (f *fake) of(device busbar.DeviceID, since time.Time) []fakeReading {
	var found []fakeReading
	f.with(func() {
		for _, r := range f.readings {
			if r.DeviceID == device && !r.at.Before(since) {
				found = append(found, r)
			}
		}
	})
	return found
}

// is a device's state as the fake knows it.
func (f *fake) is(device busbar.DeviceID, field string) any {
	var v any
	f.with(func() { v = f.devices[device].state[field] })
	return v
}

// bubble runs a test on the clock of synctest.
func bubble(t *testing.T, test func(t *testing.T, f *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFake(t)) })
}

// log keeps lines.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// run starts a home against the fake that lives a minute in a second of the bubble. It ends with stop or the test.
func (f *fake) run(t *testing.T) (stop func(), lines *log) {
	t.Helper()
	lines = &log{}
	s, err := simulator.New(simulator.Config{
		BaseURL: "http://busbar.example/", Key: key, Speed: 60, Seed: 1, Transport: f, Now: time.Now,
		Logger: slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop, lines
}

// pass lets the time of the bubble go on.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}
