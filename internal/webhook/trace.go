package webhook

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// tracer notes when things happened. A dial may outlive the request that asked for it, so all of it is locked.
type tracer struct {
	now func() time.Time

	mu sync.Mutex
	marks
}

type marks struct {
	dnsStart, dnsDone         time.Time
	connectStart, connectDone time.Time
	tlsStart, tlsDone         time.Time
	gotConn, wrote, firstByte time.Time
	reused, tlsFailed         bool
}

func (t *tracer) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		// The transport may begin anew when a kept connection turns out to be dead: the last try is what counts.
		GetConn:           func(string) { t.note(func(m *marks) { *m = marks{} }) },
		DNSStart:          func(httptrace.DNSStartInfo) { t.mark(func(m *marks) *time.Time { return &m.dnsStart }) },
		DNSDone:           func(httptrace.DNSDoneInfo) { t.mark(func(m *marks) *time.Time { return &m.dnsDone }) },
		ConnectStart:      t.onConnectStart,
		ConnectDone:       t.onConnectDone,
		TLSHandshakeStart: func() { t.mark(func(m *marks) *time.Time { return &m.tlsStart }) },
		TLSHandshakeDone:  t.onTLSDone,
		GotConn:           t.onGotConn,
		WroteRequest: func(httptrace.WroteRequestInfo) {
			t.mark(func(m *marks) *time.Time { return &m.wrote })
		},
		GotFirstResponseByte: func() { t.mark(func(m *marks) *time.Time { return &m.firstByte }) },
	}
}

func (t *tracer) note(change func(*marks)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.marks)
}

func (t *tracer) mark(field func(*marks) *time.Time) {
	at := t.now()
	t.note(func(m *marks) { *field(m) = at })
}

// onConnectStart keeps the first of several addresses that are tried side by side.
func (t *tracer) onConnectStart(_, _ string) {
	at := t.now()
	t.note(func(m *marks) {
		if m.connectStart.IsZero() {
			m.connectStart = at
		}
	})
}

func (t *tracer) onConnectDone(_, _ string, err error) {
	if err != nil {
		return
	}
	t.mark(func(m *marks) *time.Time { return &m.connectDone })
}

func (t *tracer) onTLSDone(_ tls.ConnectionState, err error) {
	at := t.now()
	t.note(func(m *marks) { m.tlsDone, m.tlsFailed = at, err != nil })
}

func (t *tracer) onGotConn(info httptrace.GotConnInfo) {
	at := t.now()
	t.note(func(m *marks) { m.gotConn, m.reused = at, info.Reused })
}

func (t *tracer) snapshot() marks {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.marks
}

func (m marks) timing(total time.Duration) Timing {
	timing := Timing{FirstByte: between(m.gotConn, m.firstByte), Total: total, Reused: m.reused}
	// A dial that was begun but not needed, because a kept connection became free, is not part of this attempt.
	if !m.reused {
		timing.DNS = between(m.dnsStart, m.dnsDone)
		timing.Connect = between(m.connectStart, m.connectDone)
		timing.TLS = between(m.tlsStart, m.tlsDone)
	}
	return timing
}

func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(to.Sub(from), 0)
}

// waitingFor says what an attempt that ran out of time was doing.
func (m marks) waitingFor() string {
	switch {
	case !m.wrote.IsZero():
		return "waiting for the response"
	case !m.gotConn.IsZero():
		return "sending the request"
	case !m.tlsStart.IsZero():
		return "in the TLS handshake"
	case !m.connectStart.IsZero():
		return "connecting"
	case !m.dnsStart.IsZero():
		return "resolving the name"
	default:
		return "waiting for a connection"
	}
}
