package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fakeFaults is what a fake server does wrong.
type fakeFaults struct {
	// loseEvery, repeatEvery and refuseEvery concern each n-th event; 0 means none.
	loseEvery, repeatEvery, refuseEvery int
	forge, otherBody, duplicate         bool
	// atOnce sends an event's webhooks before the event is answered, so that all are counted whatever the timing.
	atOnce bool
	// newestFirst sends what was parked in the wrong order.
	newestFirst bool
}

// fakeAPI answers as the public API does as far as the benchmark uses it, and delivers at once, 8 webhooks at a time. With a
// journal it continues where an earlier one ended.
type fakeAPI struct {
	faults  fakeFaults
	key     string
	journal *os.File

	client  *http.Client
	slots   chan struct{}
	running sync.WaitGroup

	mu        sync.Mutex
	endpoints map[string]fakeEndpoint
	levels    map[string]int
	deleted   int
	events    int

	parking sync.Mutex
	parked  []fakeEvent
}

type fakeEndpoint struct {
	URL, Secret string
}

type fakeEvent struct {
	EventID   string          `json:"eventId"`
	Type      string          `json:"type"`
	Timestamp string          `json:"timestamp,omitempty"`
	Data      json.RawMessage `json:"data"`
}

func newFake(key string, faults fakeFaults) *fakeAPI {
	return &fakeAPI{
		faults:    faults,
		key:       key,
		client:    &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
		slots:     make(chan struct{}, 8),
		endpoints: make(map[string]fakeEndpoint),
		levels:    make(map[string]int),
	}
}

// resume opens the journal and delivers what it says is outstanding.
func (f *fakeAPI) resume(ctx context.Context, path string) error {
	journal, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	f.journal = journal
	open := make(map[string]fakeEvent)
	lines := bufio.NewScanner(journal)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "endpoint":
			id, endpoint, _ := strings.Cut(rest, " ")
			url, secret, _ := strings.Cut(endpoint, " ")
			f.endpoints[id] = fakeEndpoint{url, secret}
		case "event":
			var e fakeEvent
			if json.Unmarshal([]byte(rest), &e) == nil {
				open[e.EventID] = e
			}
		case "tidied":
			return errors.New("the fake was ended in order, not by a crash")
		case "done":
			delete(open, rest)
		}
	}
	for _, e := range open {
		f.deliver(ctx, e)
	}
	return lines.Err()
}

func (f *fakeAPI) write(line string) {
	if f.journal != nil {
		_, _ = f.journal.WriteString(line + "\n")
	}
}

// handler serves the API; what it accepts is delivered until ctx ends.
func (f *fakeAPI) handler(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("POST /v1/event-types", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusConflict, map[string]any{"success": false, "error": map[string]string{"code": "CONFLICT"}})
	})
	mux.HandleFunc("POST /v1/endpoints", f.create)
	mux.HandleFunc("DELETE /v1/endpoints/{id}", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.deleted++
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /v1/endpoints/{id}", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"success": true, "data": map[string]any{"circuit": map[string]string{"state": "open"}}})
	})
	mux.HandleFunc("POST /v1/endpoints/{id}/enable", func(w http.ResponseWriter, r *http.Request) { f.enable(ctx, w, r) })
	made := func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusCreated, map[string]any{"success": true, "data": map[string]any{}})
	}
	mux.HandleFunc("POST /v1/sites", made)
	mux.HandleFunc("POST /v1/devices", made)
	gone := func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.deleted++
		reply(w, http.StatusOK, map[string]any{"success": true})
	}
	mux.HandleFunc("DELETE /v1/sites/{id}", gone)
	mux.HandleFunc("DELETE /v1/devices/{id}", gone)
	mux.HandleFunc("POST /v1/devices/state", f.readings)
	mux.HandleFunc("POST /v1/events", func(w http.ResponseWriter, r *http.Request) { f.accept(ctx, w, r) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" && r.Header.Get("x-api-key") != f.key {
			reply(w, http.StatusUnauthorized, map[string]any{"error": map[string]string{"code": "INVALID_API_KEY", "message": "no"}})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// readings answers each reading as the API does: updated when the level, to a tenth, is another than before.
func (f *fakeAPI) readings(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Readings []struct {
			DeviceID string
			State    struct{ Level float64 }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		reply(w, http.StatusBadRequest, nil)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var items []map[string]string
	for _, reading := range body.Readings {
		level := int(10*reading.State.Level + 0.5)
		status := "unchanged"
		if was, known := f.levels[reading.DeviceID]; !known || was != level {
			status = "updated"
		}
		if f.faults.refuseEvery > 0 {
			status = ""
		}
		f.levels[reading.DeviceID] = level
		items = append(items, map[string]string{"status": status})
	}
	reply(w, http.StatusAccepted, map[string]any{"success": true, "data": items})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (f *fakeAPI) create(w http.ResponseWriter, r *http.Request) {
	var body struct{ URL string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		reply(w, http.StatusBadRequest, nil)
		return
	}
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text()))
	f.mu.Lock()
	defer f.mu.Unlock()
	id := "ep_" + strconv.Itoa(len(f.endpoints))
	f.endpoints[id] = fakeEndpoint{body.URL, secret}
	f.write("endpoint " + id + " " + body.URL + " " + secret)
	reply(w, http.StatusCreated, map[string]any{"success": true, "data": map[string]any{"id": id, "secret": secret, "maxInFlight": 4}})
}

func (f *fakeAPI) accept(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	var e fakeEvent
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": map[string]string{"code": "INVALID_JSON"}})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events++
	if f.faults.atOnce {
		defer f.running.Wait()
	}
	if every(f.faults.refuseEvery, f.events) {
		reply(w, http.StatusServiceUnavailable, map[string]any{"error": map[string]string{"code": "UNAVAILABLE"}})
		return
	}
	if !every(f.faults.loseEvery, f.events) {
		line, _ := json.Marshal(e)
		f.write("event " + string(line))
		f.deliver(ctx, e)
	}
	if every(f.faults.repeatEvery, f.events) {
		f.deliver(ctx, e)
	}
	status := "accepted"
	if f.faults.duplicate {
		status = "duplicate"
	}
	reply(w, http.StatusAccepted, map[string]any{
		"success": true, "data": map[string]string{"eventId": e.EventID, "status": status, "workflowId": "w"},
	})
}

func every(n, i int) bool { return n > 0 && i%n == 0 }

// enable sends what is parked, one after the other in the order of the events' own times.
func (f *fakeAPI) enable(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	endpoint := f.endpoints[r.PathValue("id")]
	f.parking.Lock()
	defer f.parking.Unlock()
	slices.SortFunc(f.parked, func(a, b fakeEvent) int { return strings.Compare(a.Timestamp, b.Timestamp) })
	if f.faults.newestFirst {
		slices.Reverse(f.parked)
	}
	for _, e := range f.parked {
		f.send(ctx, endpoint, e)
	}
	f.parked = nil
	reply(w, http.StatusOK, map[string]any{"success": true})
}

// deliver is called with the lock held. A refused webhook is sent a second time, as a retry would, and then parked when the
// receiver is down.
func (f *fakeAPI) deliver(ctx context.Context, e fakeEvent) {
	for _, endpoint := range f.endpoints {
		f.running.Go(func() {
			if !hangs(endpoint) {
				f.slots <- struct{}{}
				defer func() { <-f.slots }()
			}
			if f.send(ctx, endpoint, e) != http.StatusOK && f.send(ctx, endpoint, e) == http.StatusServiceUnavailable {
				f.parking.Lock()
				f.parked = append(f.parked, e)
				f.parking.Unlock()
			}
			f.write("done " + e.EventID)
		})
	}
}

// hangs knows the third endpoint of Hanging and those of Care from the forty-first on.
func hangs(endpoint fakeEndpoint) bool {
	n, err := strconv.Atoi(endpoint.URL[strings.LastIndex(endpoint.URL, "/")+1:])
	return err == nil && (n == 2 || n >= 40)
}

// send returns the status of the answer, 0 when there was none.
func (f *fakeAPI) send(ctx context.Context, endpoint fakeEndpoint, e fakeEvent) int {
	id := e.EventID
	if f.faults.otherBody {
		e.EventID = "another"
	}
	body, err := json.Marshal(e)
	if err != nil {
		return 0
	}
	secret := endpoint.Secret
	if f.faults.forge {
		secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("some other secret than the right"))
	}
	request, err := signed(ctx, endpoint.URL, secret, id, body, time.Now())
	if err != nil {
		return 0
	}
	response, err := f.client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// signed makes a webhook as Standard Webhooks 1.0.0 describes it.
func signed(ctx context.Context, url, secret, id string, body []byte, at time.Time) (*http.Request, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", stamp)
	request.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return request, nil
}
