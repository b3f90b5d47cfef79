package driver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar"
	"busbar/internal/driver/drivertest"
)

// ampsSide is an API as the public documentation of Amps describes it: one open action a device, an error that names the
// conflict, no repeat known by a key. With keys it knows them, as another Busbar does.
type ampsSide struct {
	url  string
	keys bool
	// ahead is how far its clock is before ours.
	ahead time.Duration

	mu      sync.Mutex
	does    drivertest.Behaviour
	actions []*ampsSideAction
	byKey   map[string]*ampsSideAction
	done    int
	pushes  []string
}

type ampsSideAction struct {
	ID           string                     `json:"id"`
	DeviceID     string                     `json:"deviceId"`
	DeviceType   string                     `json:"deviceType"`
	Command      string                     `json:"command"`
	Parameters   map[string]busbar.Quantity `json:"parameters"`
	State        string                     `json:"state"`
	Result       map[string]any             `json:"result"`
	ErrorCode    *string                    `json:"errorCode"`
	ErrorMessage *string                    `json:"errorMessage"`
	CreatedAt    string                     `json:"createdAt"`
	// ends is what becomes of it when it is asked for next; empty is nothing.
	ends string
}

func newAmpsSide(t testing.TB, keys bool, ahead time.Duration) *ampsSide {
	t.Helper()
	s := &ampsSide{keys: keys, ahead: ahead, does: drivertest.Accepts, byKey: map[string]*ampsSideAction{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/battery/{id}", s.push)
	mux.HandleFunc("GET /v1/actions", s.list)
	mux.HandleFunc("GET /v1/actions/{id}", s.get)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != drivertest.Secret {
			s.fail(w, http.StatusUnauthorized, "INVALID_API_KEY")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *ampsSide) behave(b drivertest.Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.does = b
}

func (s *ampsSide) effects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

func (s *ampsSide) now() string {
	return time.Now().Add(s.ahead).UTC().Format("2006-01-02T15:04:05.000Z")
}

func (s *ampsSide) succeed(w http.ResponseWriter, status int, data any) {
	body, err := json.Marshal(map[string]any{
		"success": true, "data": data, "meta": map[string]any{"requestId": "req_1", "environment": "sandbox", "timestamp": s.now(), "latencyMs": 3},
	})
	if err != nil {
		panic(err)
	}
	answer(w, status, string(body))
}

func (s *ampsSide) fail(w http.ResponseWriter, status int, code string) {
	answer(w, status, fmt.Sprintf(
		`{"success":false,"error":{"code":%q,"message":"what %s means","details":{}},"meta":{"requestId":"req_1","timestamp":%q,"path":"/","latencyMs":3}}`,
		code, code, s.now()))
}

func (s *ampsSide) push(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Action struct {
			Command    string                     `json:"command"`
			Parameters map[string]busbar.Quantity `json:"parameters"`
		} `json:"action"`
		OnConflict string `json:"onConflict"`
	}
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil || body.Action.Command == "" {
		s.fail(w, http.StatusUnprocessableEntity, "UNKNOWN_FIELD")
		return
	}
	s.mu.Lock()
	does, key := s.does, r.Header.Get("Idempotency-Key")
	s.pushes = append(s.pushes, key)
	if again, ok := s.byKey[key]; ok && s.keys {
		s.mu.Unlock()
		// The first answer again, whatever has become of it.
		first := *again
		first.State, first.ErrorCode, first.ErrorMessage, first.Result = "acknowledged", nil, nil, nil
		s.succeed(w, http.StatusAccepted, first)
		return
	}
	open := slices.ContainsFunc(s.actions, func(a *ampsSideAction) bool {
		return a.DeviceID == r.PathValue("id") && a.State == "acknowledged"
	})
	var taken *ampsSideAction
	if !open && slices.Contains([]drivertest.Behaviour{drivertest.Accepts, drivertest.Defers, drivertest.Offline, drivertest.Breaks}, does) {
		taken = &ampsSideAction{
			ID: fmt.Sprintf("act_%d", len(s.actions)+1), DeviceID: r.PathValue("id"), DeviceType: "battery", Command: body.Action.Command,
			Parameters: body.Action.Parameters, State: "acknowledged", CreatedAt: s.now(),
			ends: map[drivertest.Behaviour]string{drivertest.Accepts: "completed", drivertest.Breaks: "completed", drivertest.Offline: "failed"}[does],
		}
		for _, a := range s.actions {
			if a.DeviceID == taken.DeviceID && a.State == "scheduled" && body.OnConflict == "cancel_and_replace" {
				a.State = "cancelled"
			}
		}
		s.actions = append(s.actions, taken)
		s.byKey[key] = taken
		if does != drivertest.Offline {
			s.done++
		}
	}
	if does == drivertest.Breaks {
		s.does = drivertest.Accepts
	}
	s.mu.Unlock()
	switch {
	case does == drivertest.Refuses:
		s.fail(w, http.StatusUnprocessableEntity, "PARAMETER_OUT_OF_RANGE")
	case does == drivertest.Hangs:
		<-r.Context().Done()
	case does == drivertest.Swamped:
		w.Header().Set("Retry-After", fmt.Sprint(int(drivertest.RetryAfter.Seconds())))
		s.fail(w, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED")
	case does == drivertest.Breaks:
		panic(http.ErrAbortHandler)
	case open:
		s.fail(w, http.StatusConflict, "CONFLICT")
	default:
		s.succeed(w, http.StatusAccepted, taken)
	}
}

func (s *ampsSide) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []any{
		"not an action", map[string]any{"id": 7}, map[string]any{"id": "act_odd", "deviceId": r.FormValue("deviceId"), "parameters": "none"},
	}
	for _, a := range slices.Backward(s.actions) {
		if a.DeviceID == r.FormValue("deviceId") {
			items = append(items, *a)
		}
	}
	s.succeed(w, http.StatusOK, map[string]any{
		"items": items, "pagination": map[string]any{"limit": 50, "offset": 0, "total": len(items), "hasMore": false},
	})
}

func (s *ampsSide) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.actions, func(a *ampsSideAction) bool { return a.ID == r.PathValue("id") })
	if i < 0 {
		s.fail(w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	a := s.actions[i]
	if a.State == "acknowledged" && a.ends != "" {
		a.State, a.Result = a.ends, map[string]any{"success": a.ends == "completed", "message": "Mode applied"}
		if a.ends == "failed" {
			code, message := "DEVICE_OFFLINE", "did not respond within 30s"
			a.ErrorCode, a.ErrorMessage = &code, &message
		}
	}
	s.succeed(w, http.StatusOK, *a)
}

// add leaves somebody else's action at the API.
func (s *ampsSide) add(a ampsSideAction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.CreatedAt = strings.Replace(s.now(), "Z", "+00:00", 1)
	s.actions = append(s.actions, &a)
}

func (s *ampsSide) state(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.actions {
		if a.ID == id {
			return a.State
		}
	}
	return ""
}
