package webhook_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"busbar/internal/webhook"
)

func TestSendSignsAndTells(t *testing.T) {
	t.Parallel()
	hmacKey, secret := newHMAC(t)
	edKey, _, public := newEd25519(t)
	type received struct {
		header http.Header
		body   []byte
		method string
	}
	got := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		got <- received{r.Header, body, r.Method}
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(server.Close)
	r := request(t, server.URL+"/hook?token=query-secret")
	r.Keys = []webhook.Key{hmacKey, edKey}
	r.Header = http.Header{
		"authorization":   {"Bearer header-secret"},
		"X-Two":           {"one", "two"},
		"Content-Type":    {"text/plain"},
		"user-agent":      {"other"},
		"WEBHOOK-ID":      {"forged"},
		"svix-anything":   {"forged"},
		"Busbar-Attempt":  {"99"},
		"Connection":      {"close"},
		"Content-Length":  {"1"},
		"Expect":          {"100-continue"},
		"Idempotency-Key": {"act_1"},
	}

	result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), r)

	wantClass(t, result, webhook.ClassNone)
	if result.StatusCode != http.StatusAccepted || result.ResponseBody != "thanks" || result.Truncated {
		t.Errorf("answer is %d %q", result.StatusCode, result.ResponseBody)
	}
	if result.ResponseHeader.Get("X-Answer") != "yes" {
		t.Errorf("response header is %v", result.ResponseHeader)
	}
	seen := <-got
	if seen.method != http.MethodPost || string(seen.body) != string(r.Body) {
		t.Errorf("received %s %q", seen.method, seen.body)
	}
	verifiers := []webhook.Verifier{mustVerifier(t, secret), mustVerifier(t, public)}
	for _, one := range verifiers {
		if err := webhook.Verify([]webhook.Verifier{one}, seen.header, seen.body, time.Now()); err != nil {
			t.Errorf("verify: %v", err)
		}
	}
	official, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatalf("official library: %v", err)
	}
	if err := official.Verify(seen.body, seen.header); err != nil {
		t.Errorf("official library: %v", err)
	}
	timestamp := strconv.FormatInt(result.At.Unix(), 10)
	signature := hmacKey.Sign("evt_1", result.At, r.Body) + " " + edKey.Sign("evt_1", result.At, r.Body)
	want := http.Header{
		"Authorization": {"Bearer header-secret"}, "X-Two": {"one", "two"}, "Idempotency-Key": {"act_1"},
		"Content-Type": {"application/json"}, "User-Agent": {"Busbar/1.2.3"},
		"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature},
		"Svix-Id": {"evt_1"}, "Svix-Timestamp": {timestamp}, "Svix-Signature": {signature},
		"Busbar-Event-Type": {"push.completed"}, "Busbar-Delivery-Id": {"dlv_1"}, "Busbar-Attempt": {"3"},
		"Busbar-Environment": {"live"},
	}
	seen.header.Del("Content-Length")
	if diff := cmp.Diff(want, seen.header); diff != "" {
		t.Errorf("headers received (-want +got):\n%s", diff)
	}
	want["Authorization"], want["Idempotency-Key"] = []string{webhook.Masked}, []string{webhook.Masked}
	want["X-Two"] = []string{webhook.Masked, webhook.Masked}
	if diff := cmp.Diff(want, result.RequestHeader); diff != "" {
		t.Errorf("headers shown (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatalf("encode result: %v", err)
	}
	for _, hidden := range []string{"header-secret", "query-secret", "act_1", strings.TrimPrefix(secret, "whsec_")} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("the result tells %s", hidden)
		}
	}
}

func TestRequestsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	server := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	host := strings.TrimPrefix(server.URL, "http://")
	for name, c := range map[string]struct {
		change func(*webhook.Request)
		want   webhook.ErrorClass
	}{
		"no key":       {func(r *webhook.Request) { r.Keys = nil }, webhook.ClassRequest},
		"zero key":     {func(r *webhook.Request) { r.Keys = append(r.Keys, webhook.Key{}) }, webhook.ClassRequest},
		"no id":        {func(r *webhook.Request) { r.MessageID = "" }, webhook.ClassRequest},
		"dot in id":    {func(r *webhook.Request) { r.MessageID = "evt_1.2" }, webhook.ClassRequest},
		"break in id":  {func(r *webhook.Request) { r.MessageID = "a\r\nb: c" }, webhook.ClassRequest},
		"break in tag": {func(r *webhook.Request) { r.EventType = "a\nb" }, webhook.ClassRequest},
		"bad header":   {func(r *webhook.Request) { r.Header = http.Header{"A": {"x\r\ny"}} }, webhook.ClassRequest},
		"bad name":     {func(r *webhook.Request) { r.Header = http.Header{"A b": {"x"}} }, webhook.ClassRequest},
		"no url":       {func(r *webhook.Request) { r.URL = "" }, webhook.ClassRequest},
		"no host":      {func(r *webhook.Request) { r.URL = "http:///x" }, webhook.ClassRequest},
		"scheme":       {func(r *webhook.Request) { r.URL = "ftp://" + host }, webhook.ClassForbidden},
		"user":         {func(r *webhook.Request) { r.URL = "http://user:hunter2@" + host }, webhook.ClassForbidden},
		"number":       {func(r *webhook.Request) { r.URL = "http://2130706433:" + host[strings.Index(host, ":")+1:] }, webhook.ClassForbidden},
	} {
		r := request(t, server.URL)
		c.change(&r)
		result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), r)
		if result.Class != c.want {
			t.Errorf("%s: class is %q (%s), want %q", name, result.Class, result.Err, c.want)
		}
		if strings.Contains(result.Err, "hunter2") {
			t.Errorf("%s: the error tells the password", name)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d of them were sent", hits.Load())
	}
}

func TestCallerCanCutShort(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	wantClass(t, newClient(t, webhook.ClientConfig{}).Send(ctx, request(t, server.URL)), webhook.ClassCanceled)
}

func TestClosedClientSendsNothing(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	server := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	client := newClient(t, webhook.ClientConfig{})
	client.Close()
	wantClass(t, client.Send(t.Context(), request(t, server.URL)), webhook.ClassCanceled)
	if hits.Load() != 0 {
		t.Error("a closed client has sent")
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, webhook.GuardConfig{})
	for name, config := range map[string]webhook.ClientConfig{
		"no guard":         {Version: "1"},
		"no version":       {Guard: guard},
		"version":          {Guard: guard, Version: "1\r\nx: y"},
		"negative body":    {Guard: guard, Version: "1", MaxBody: -1},
		"negative timeout": {Guard: guard, Version: "1", Timeout: -1},
	} {
		if _, err := webhook.NewClient(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
	})
	client := newClient(t, webhook.ClientConfig{})
	var done sync.WaitGroup
	var delivered atomic.Int64
	for n := range 32 {
		done.Go(func() {
			for range 10 {
				r := request(t, server.URL)
				if n%4 == 0 {
					r.URL, r.Timeout = server.URL+"/hang", short/100
					if result := client.Send(t.Context(), r); result.Class != webhook.ClassTimeout {
						t.Errorf("hanging: class is %q (%s)", result.Class, result.Err)
					}
					continue
				}
				if client.Send(t.Context(), r).OK() {
					delivered.Add(1)
				}
			}
		})
	}
	done.Wait()
	if delivered.Load() != 240 {
		t.Errorf("%d of 240 were delivered", delivered.Load())
	}
}
