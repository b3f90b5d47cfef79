package e2e_test

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"busbar/internal/pgtest"
)

// listening is a run of "busbar listen".
type listening struct {
	*process
	endpoint, secret string
}

var (
	shownEndpoint = regexp.MustCompile(`ep_[0-9a-f]{32}`)
	shownSecret   = regexp.MustCompile(`whsec_[A-Za-z0-9+/]{43}=`)
)

// listen starts "busbar listen" and returns when it is ready. The target verifies by its secret.
func listen(t *testing.T, server, key string, target *sink, args ...string) *listening {
	t.Helper()
	l := &listening{process: launch(t, "busbar", append([]string{"listen", "--url", server, "--forward-to", target.url()}, args...),
		[]string{"BUSBAR_API_KEY=" + key})}
	await(t, "the listener to be ready", func() bool {
		if l.ended() {
			t.Fatalf("it ended with code %d", l.code)
		}
		return strings.Contains(l.stdout.String(), "Ready.")
	})
	text := l.stdout.String()
	l.endpoint, l.secret = shownEndpoint.FindString(text), shownSecret.FindString(text)
	if n := strings.Count(text, "whsec_"); n != 1 || l.secret == "" || l.endpoint == "" {
		t.Fatalf("it does not show one secret and one endpoint:\n%s", text)
	}
	target.trust(l.secret)
	return l
}

// awaitShown returns when the list has a line that matches.
func (l *listening) awaitShown(t *testing.T, pattern string) {
	t.Helper()
	line := regexp.MustCompile("(?m)" + pattern)
	await(t, "a line that matches "+pattern, func() bool { return line.MatchString(l.stdout.String()) })
}

// A program without an open port gets what any endpoint gets, and its answer is the attempt's.
func TestListen(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	s := newSink(t)
	s.behave(func(arrival) reply {
		return reply{status: http.StatusAccepted, body: "thank you", header: map[string]string{"X-Mine": "1"}}
	})
	l := listen(t, d.base, d.key, s, "--events", "device.*,battery.*")
	d.post(t, "evt_first")
	// The sink has verified its signature.
	checkFirst(t, s.awaitCount(1)[0])
	record := d.awaitDelivered(t, "evt_first")
	if record.EndpointID != l.endpoint || len(record.Attempts) != 1 {
		t.Fatalf("delivery %+v", record)
	}
	if a := record.Attempts[0]; a.StatusCode != http.StatusAccepted || a.ResponseBody != "thank you" || a.Timing.TotalMs <= 0 {
		t.Errorf("attempt %+v", a)
	}
	l.awaitShown(t, `^\d\d:\d\d:\d\d  device\.updated +202 +\d+ ms  evt_first$`)
	// A test send takes the same way.
	test := must[struct {
		StatusCode int    `json:"statusCode"`
		EventID    string `json:"eventId"`
	}](t, d.api, http.MethodPost, "/v1/endpoints/"+l.endpoint+"/test", map[string]any{}, http.StatusOK)
	if test.StatusCode != http.StatusAccepted {
		t.Errorf("test send answered %d", test.StatusCode)
	}
	l.awaitShown(t, `webhook\.test +202 .* `+test.EventID+`$`)
	// Its end takes the endpoint along.
	if code := l.interrupt(t); code != 0 {
		t.Errorf("exit code after Ctrl-C = %d", code)
	}
	ans, err := call[endpoint](t.Context(), d.api, http.MethodGet, "/v1/endpoints/"+l.endpoint, nil)
	if err != nil || ans.Status != http.StatusNotFound {
		t.Errorf("after Ctrl-C the endpoint is %d, %v", ans.Status, err)
	}
	if text := l.stdout.String(); strings.Contains(text, d.key) {
		t.Error("the API key is shown")
	}
}

// interrupt is Ctrl-C.
func (l *listening) interrupt(t *testing.T) int {
	t.Helper()
	l.expected.Store(true)
	if err := l.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	return l.wait(t, stopTime)
}

// A target that is down is a failed attempt with a clear reason; the schedule goes on.
func TestListenWithoutTarget(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s")
	s := newSink(t)
	host := s.server.Listener.Addr().String()
	l := listen(t, d.base, d.key, s)
	s.server.Close()
	d.post(t, "evt_down")
	d.awaitDelivery(t, "evt_down", "tried twice", func(d delivery) bool { return d.AttemptCount >= 2 })
	l.awaitShown(t, `device\.updated +failed .* evt_down  attempt 2  cannot connect to the forward target `+host+`: connection refused$`)
	var lc net.ListenConfig
	again, err := lc.Listen(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	back := &http.Server{Handler: http.HandlerFunc(s.serve)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = back.Serve(again) }) // it ends by Close
	t.Cleanup(func() {
		_ = back.Close()
		serving.Wait()
	})
	got := d.awaitDelivered(t, "evt_down")
	for i, a := range got.Attempts[:len(got.Attempts)-1] {
		if a.ErrorClass != "connect" || !strings.Contains(a.Error, "cannot connect to the forward target "+host) {
			t.Errorf("attempt %d failed for %s: %s", i+1, a.ErrorClass, a.Error)
		}
	}
	if n := len(s.all()); n != 1 {
		t.Errorf("%d webhooks, want 1", n)
	}
}

// What was accepted arrives although the server is killed under way, and the listener comes back by itself.
func TestListenWhileTheServerIsKilled(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1s,1s,1s,1s,1s,1s")
	s := newSink(t)
	ln := listen(t, d.base, d.key, s)
	l := startLoad(t, load{apis: []*api{d.api}, clients: 8, events: 400, prefix: "evt_listen"})
	s.awaitCount(40)
	d.kill(t)
	d.start(t)
	s.awaitIDs(l.wait(t))
	ln.awaitShown(t, `lost the connection to Busbar`)
	ln.awaitShown(t, `connected again$`)
	if l.broken.Load() == 0 {
		t.Error("no post was cut off: the process was not killed under load")
	}
	if code := ln.interrupt(t); code != 0 {
		t.Errorf("exit code = %d", code)
	}
}

// A network that breaks for longer than an attempt lasts costs an attempt, not the delivery, and no wait for the schedule.
func TestListenThroughABreak(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1h", "--delivery-timeout", "1s")
	s := newSink(t)
	way := newWay(t, d.addr)
	l := listen(t, "http://"+way.addr, d.key, s)
	d.post(t, "evt_before")
	s.awaitIDs([]string{"evt_before"})
	way.interrupt()
	d.post(t, "evt_during")
	failed := d.awaitDelivery(t, "evt_during", "tried", func(d delivery) bool { return d.AttemptCount == 1 })
	if a := failed.Attempts[0]; a.ErrorClass != "listener_away" || !strings.Contains(a.Error, "not connected") {
		t.Errorf("attempt %+v", a)
	}
	way.mend()
	l.awaitShown(t, `connected again$`)
	s.awaitIDs([]string{"evt_during"})
	checkAttempts(t, d.awaitDelivered(t, "evt_during"), "listener_away", "")
}

// way is a network between two programs that can be broken.
type way struct {
	addr, to string
	mu       sync.Mutex
	broken   bool
	open     map[net.Conn]bool
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{addr: l.Addr().String(), to: to, open: map[net.Conn]bool{}}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			work.Go(func() { w.carry(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.interrupt()
		work.Wait()
	})
	return w
}

func (w *way) carry(near net.Conn) {
	var dialer net.Dialer
	far, err := dialer.Dial("tcp", w.to)
	if err != nil || !w.keep(near, far) {
		w.drop(near, far)
		return
	}
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
		both.Go(func() {
			_, _ = io.Copy(to, from) // a way that breaks is what this is for
			w.drop(near, far)
		})
	}
	both.Wait()
}

// keep notes connections, unless the way is broken.
func (w *way) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.open[c] = true
	}
	return !w.broken
}

// drop closes connections, of which some may be closed already or never have been.
func (w *way) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		if c != nil {
			_ = c.Close() // there is nothing left to write
		}
		delete(w.open, c)
	}
}

// interrupt cuts every connection, and those to come.
func (w *way) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
	for c := range w.open {
		_ = c.Close() // it may have been closed already
	}
	clear(w.open)
}

func (w *way) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = false
}

// The program is connected to one process, and the attempts are made in another.
func TestListenAcrossProcesses(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t), "--postgres", pgtest.DSN(t))
	serve, worker := p.run(t, "serve", "--worker=false"), p.run(t, "worker")
	awaitReady(t, serve, worker)
	s := newSink(t)
	l := listen(t, serve.base, p.key, s)
	posted := startLoad(t, load{apis: []*api{serve.api}, clients: 4, events: 60, prefix: "evt_across"})
	ids := posted.wait(t)
	s.awaitIDs(ids)
	if n := s.repeats(); n != 0 {
		t.Errorf("%d repeats", n)
	}
	for _, id := range ids[:3] {
		checkAttempts(t, serve.awaitDelivered(t, id), "")
	}
	// A server that stops does not wait for the program, and the program goes on with the next one.
	if code := serve.stop(t); code != 0 {
		t.Errorf("exit code of serve = %d", code)
	}
	l.awaitShown(t, `lost the connection to Busbar`)
	if l.ended() {
		t.Error("the listener has ended with the server")
	}
}
