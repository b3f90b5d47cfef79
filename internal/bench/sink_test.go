package bench_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

const (
	rightSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	wrongSecret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func openSink(t *testing.T) *bench.Sink {
	t.Helper()
	s, err := bench.NewSink(rightSecret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func envelope(id string) []byte {
	return fmt.Appendf(nil, `{"eventId":%q,"type":"bench.sample","data":{}}`, id)
}

func send(t *testing.T, request *http.Request) int {
	t.Helper()
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func TestSinkJudgesEachWebhook(t *testing.T) {
	t.Parallel()
	accepted := bench.Counts{Deliveries: 1}
	for _, test := range []struct {
		name     string
		endpoint int
		secret   string
		age      time.Duration
		id       string // empty: the posted event's
		body     string // empty: the envelope of the id
		change   func(http.Header)
		status   int
		want     bench.Counts
	}{
		{name: "right", secret: rightSecret, status: 200, want: accepted},
		{
			name: "one right signature among others", secret: rightSecret, status: 200, want: accepted,
			change: func(h http.Header) {
				h.Set("webhook-signature", "v1a,xx v1,"+base64.StdEncoding.EncodeToString([]byte("no"))+" "+h.Get("webhook-signature"))
			},
		},
		{name: "other secret", secret: wrongSecret, status: 401, want: bench.Counts{Missing: 1, BadSignatures: 1}},
		{name: "old", secret: rightSecret, age: time.Hour, status: 401, want: bench.Counts{Missing: 1, BadSignatures: 1}},
		{name: "ahead", secret: rightSecret, age: -time.Hour, status: 401, want: bench.Counts{Missing: 1, BadSignatures: 1}},
		{
			name: "no signature", secret: rightSecret, status: 401, want: bench.Counts{Missing: 1, BadSignatures: 1},
			change: func(h http.Header) { h.Del("webhook-signature") },
		},
		{
			name: "id changed after signing", secret: rightSecret, status: 401, want: bench.Counts{Missing: 1, BadSignatures: 1},
			change: func(h http.Header) { h.Set("webhook-id", "t-1") },
		},
		{name: "body of another event", secret: rightSecret, body: string(envelope("t-7")), status: 400, want: bench.Counts{Missing: 1, Malformed: 1}},
		{name: "no JSON", secret: rightSecret, body: "hello", status: 400, want: bench.Counts{Missing: 1, Malformed: 1}},
		{name: "too large", secret: rightSecret, body: strings.Repeat("x", 600<<10), status: 400, want: bench.Counts{Missing: 1, Malformed: 1}},
		{name: "event that was not posted", secret: rightSecret, id: "t-99", status: 200, want: bench.Counts{Missing: 1, Strays: 1}},
		{name: "event of another run", secret: rightSecret, id: "u-0", status: 200, want: bench.Counts{Missing: 1, Strays: 1}},
		{name: "refusing endpoint", endpoint: 1, secret: rightSecret, status: 500, want: bench.Counts{Missing: 1, Elsewhere: 1}},
		{name: "no such endpoint", endpoint: 9, secret: rightSecret, status: 404, want: bench.Counts{Missing: 1, Strays: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := openSink(t)
			id := s.Post()
			if test.id != "" {
				id = test.id
			}
			body := envelope(id)
			if test.body != "" {
				body = []byte(test.body)
			}
			request, err := signed(t.Context(), s.URL(test.endpoint), test.secret, id, body, time.Now().Add(-test.age))
			if err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(request.Header)
			}
			if status := send(t, request); status != test.status {
				t.Errorf("answered %d, want %d", status, test.status)
			}
			if diff := cmp.Diff(test.want, s.Counts()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSinkCountsRepeats(t *testing.T) {
	t.Parallel()
	s := openSink(t)
	first, second := s.Post(), s.Post()
	for _, id := range []string{first, second, first, first} {
		request, err := signed(t.Context(), s.URL(0), rightSecret, id, envelope(id), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if status := send(t, request); status != bench.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	if diff := cmp.Diff(bench.Counts{Deliveries: 2, Repeats: 2}, s.Counts()); diff != "" {
		t.Error(diff)
	}
	if got := s.Attempts(0); got != 4 {
		t.Errorf("%d attempts, want 4", got)
	}
}

func TestClosingTheSinkLetsHeldRequestsGo(t *testing.T) {
	t.Parallel()
	s, err := bench.NewSink(rightSecret)
	if err != nil {
		t.Fatal(err)
	}
	id := s.Post()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := signed(ctx, s.URL(2), rightSecret, id, envelope(id), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			status <- 0
			return
		}
		defer response.Body.Close()
		status <- response.StatusCode
	}()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for s.Counts().Elsewhere == 0 {
		select {
		case <-ticker.C:
		case got := <-status:
			t.Fatalf("answered %d before the sink was closed", got)
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != bench.StatusOK {
		t.Errorf("the held request was answered %d", got)
	}
}
