package web_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/internal/store"
)

const (
	benchEvents = 100_000
	benchBatch  = 500
)

// BenchmarkPages takes how long each page needs to be answered when a day has left 100,000 events behind, each with two
// deliveries.
//
//	go test ./web -run '^$' -bench BenchmarkPages -benchtime 20x
func BenchmarkPages(b *testing.B) {
	a, paths := bench(b)
	cookie := a.session(b, a.addUser("Ada", busbar.RoleAdmin))
	for _, path := range paths {
		b.Run(strings.NewReplacer("/", "_", "?", "_", "=", "_", "&", "_").Replace(path), func(b *testing.B) {
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
				r.AddCookie(cookie)
				r.Header.Set("Accept-Encoding", "gzip")
				w := httptest.NewRecorder()
				begin := time.Now()
				a.handler.ServeHTTP(w, r)
				took = append(took, time.Since(begin))
				if w.Code != http.StatusOK {
					b.Fatalf("%s: %d", path, w.Code)
				}
			}
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(ms(took[len(took)/2]), "median-ms")
			b.ReportMetric(ms(took[len(took)-1]), "worst-ms")
		})
	}
}

// session is the cookie of somebody who is signed in.
func (a *app) session(tb testing.TB, user busbar.User) *http.Cookie {
	tb.Helper()
	token, err := busbar.NewToken()
	must(tb, err)
	now := a.now()
	must(tb, a.store.CreateSession(tb.Context(), &busbar.Session{
		ID: busbar.NewSessionID(), UserID: user.ID, Hash: busbar.HashToken(token), Address: "127.0.0.1", UserAgent: "bench",
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour),
	}))
	return &http.Cookie{Name: "busbar_session", Value: token}
}

// bench is an app a day in which was busy, and its pages.
func bench(tb testing.TB) (a *app, paths []string) {
	tb.Helper()
	a = newApp(tb, options{patience: 25 * time.Millisecond})
	tb.Cleanup(a.server.EndFeeds)
	good, _ := a.createEndpoint(`{"url":"http://127.0.0.1:9001/hook"}`)
	bad, _ := a.createEndpoint(`{"url":"http://127.0.0.1:9002/hook","description":"Fails now and then"}`)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"home","name":"Home","timezone":"Europe/Berlin"}`)
	for i, family := range busbar.Families() {
		a.createDevice(fmt.Sprintf(`{"id":"dev_%d","type":%q,"siteId":"home","driver":{"kind":"manual"}}`, i, family))
	}
	for n := 0; n < benchEvents; n += benchBatch {
		var body strings.Builder
		for i := range benchBatch {
			fmt.Fprintf(&body, `,{"type":"device.updated","deviceId":"dev_x%d","data":{"changed":["level"],"state":{"level":%d,"status":"charging"}}}`, i%50, (n+i)%100)
		}
		want[[]object](a, http.StatusAccepted, http.MethodPost, "/v1/events", "["+body.String()[1:]+"]")
		a.settle(tb, busbar.EndpointID(bad))
		a.advance(24 * time.Hour * benchBatch / benchEvents)
	}
	for i := range 400 {
		a.report("dev_0", fmt.Sprintf(`{"level":%d}`, i%100))
		a.advance(time.Second)
	}
	a.send(http.MethodPost, "/v1/endpoints/"+bad+"/recover", `{"since":"2026-01-01T00:00:00Z"}`)
	event := a.items("/v1/events?limit=1&type=device.updated")[0]["id"]
	failed := a.items("/v1/deliveries?limit=1&status=failed")[0]["id"]
	job := a.items("/v1/jobs")[0]["id"]
	return a, []string{
		"/sandbox", "/live", "/sandbox/events", "/sandbox/events?type=device.updated&last=24h", "/sandbox/events?deviceId=dev_x7",
		"/sandbox/events?type=push.completed", "/sandbox/events?siteId=home", "/sandbox/events/" + text(event),
		"/sandbox/deliveries", "/sandbox/deliveries?status=failed", "/sandbox/deliveries?status=pending", "/sandbox/deliveries?type=push.*",
		"/sandbox/deliveries?endpointId=" + good, "/sandbox/deliveries?endpointId=" + bad + "&status=failed&last=24h",
		"/sandbox/deliveries/" + text(failed), "/sandbox/endpoints", "/sandbox/endpoints/" + good, "/sandbox/endpoints/" + bad,
		"/sandbox/endpoints/" + bad + "/edit", "/sandbox/endpoints/" + bad + "/recover", "/sandbox/jobs", "/sandbox/jobs/" + text(job),
		"/sandbox/event-types", "/sandbox/event-types/device.updated", "/sandbox/devices", "/sandbox/devices/dev_0", "/sandbox/devices/dev_0/edit",
		"/sandbox/actions", "/sandbox/sites", "/sandbox/api-keys", "/users", "/audit", "/account", "/about",
	}
}

// settle ends the deliveries that are open: most arrive, every fiftieth to one endpoint does not, and some wait.
func (a *app) settle(tb testing.TB, bad busbar.EndpointID) {
	tb.Helper()
	for range 2 * benchBatch / 200 {
		page, err := a.store.Deliveries(tb.Context(), busbar.Sandbox, store.DeliveryFilter{Status: busbar.DeliveryPending}, busbar.PageRequest{Limit: 200})
		must(tb, err)
		done := make([]*store.Finished, 0, len(page.Items))
		for i, d := range page.Items {
			f := &store.Finished{Status: busbar.DeliveryDelivered, Attempt: busbar.Attempt{
				DeliveryID: d.ID, Number: 1, At: a.now(), Duration: 12 * time.Millisecond, StatusCode: 200, ResponseBody: "thanks",
				RequestHeaders: map[string][]string{"Content-Type": {"application/json"}}, ResponseHeaders: map[string][]string{"Server": {"test"}},
			}}
			if d.EndpointID == bad && i%50 < 2 {
				f.Status, f.Attempt.StatusCode, f.Attempt.ErrorClass, f.Attempt.Error = busbar.DeliveryFailed, 500, "status", "the endpoint answered 500"
			}
			done = append(done, f)
		}
		must(tb, a.store.Finish(tb.Context(), done))
	}
}

// BenchmarkOpenPages takes what 200 open pages cost in memory: their connections with both ends in this process, while
// events come in and each page is told of them.
//
//	go test ./web -run '^$' -bench BenchmarkOpenPages -benchtime 1x
func BenchmarkOpenPages(b *testing.B) {
	const open, each = 200, 20
	for b.Loop() {
		a := newApp(b, options{})
		server := httptest.NewServer(a.handler)
		client := server.Client()
		client.Transport.(*http.Transport).MaxConnsPerHost = 0
		user := a.addUser(fmt.Sprint("user", b.N), busbar.RoleViewer)
		before := memory()
		told := make(chan struct{}, open)
		var feeds []*http.Response
		for i := range open {
			var cookie *http.Cookie
			if i%each == 0 {
				cookie = a.session(b, user)
			} else {
				cookie = &http.Cookie{Name: "busbar_session", Value: feeds[i-i%each].Request.CookiesNamed("busbar_session")[0].Value}
			}
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/sandbox/feed", http.NoBody)
			must(b, err)
			r.AddCookie(cookie)
			res, err := client.Do(r) //nolint:bodyclose // they are read until all were told, and closed then
			must(b, err)
			if res.StatusCode != http.StatusOK {
				b.Fatalf("page %d is answered %d", i, res.StatusCode)
			}
			feeds = append(feeds, res) //nolint:bodyclose // see above
			go func() {
				lines := bufio.NewScanner(res.Body)
				for lines.Scan() {
					if strings.HasPrefix(lines.Text(), "event:") {
						told <- struct{}{}
					}
				}
			}()
		}
		want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"device.updated","data":{"state":{}}}`)
		for range open {
			<-told
		}
		b.ReportMetric(float64(memory()-before)/(1<<20), "MB")
		a.server.EndFeeds()
		for _, res := range feeds {
			must(b, res.Body.Close())
		}
		server.Close()
	}
}

// memory is what the process has in use.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
