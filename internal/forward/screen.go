package forward

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// screen is the live list.
type screen struct {
	mu  sync.Mutex
	out io.Writer
	// away: that the connection is lost was said.
	away bool
}

const clock = "15:04:05"

func (s *screen) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.out, text)
}

// begin says what is forwarded. The secret is shown this once.
func (s *screen) begin(server, target string, e endpoint) {
	types := "all but operational"
	if len(e.EventTypes) > 0 {
		types = strings.Join(e.EventTypes, ", ")
	}
	s.write(strings.Join([]string{
		"",
		"  Forwarding  " + server + " (" + e.Environment + ") to " + target,
		"  Events      " + types,
		"  Endpoint    " + e.ID + ", temporary",
		"  Secret      " + e.Secret + ", shown this once: verify signatures with it",
		"",
		"  Ready. Ctrl-C ends it and deletes the endpoint.",
		"",
	}, "\n"))
}

// line shows a request with what became of it: time, type, status, milliseconds, event.
func (s *screen) line(r request, a answer, took time.Duration) {
	status, more := strconv.Itoa(a.StatusCode), ""
	if r.Attempt > 1 {
		more = fmt.Sprintf("  attempt %d", r.Attempt)
	}
	if a.Error != nil {
		status = "failed"
		more += "  " + a.Error.Message
	}
	s.write(fmt.Sprintf("%s  %-22s  %-6s  %5d ms  %s%s", time.Now().Format(clock), printable(r.EventType), status, took.Milliseconds(), r.EventID, more))
}

func (s *screen) note(text string) { s.write(time.Now().Format(clock) + "  " + text) }

// lost says once that the connection is lost.
func (s *screen) lost(err error) {
	if !s.away {
		s.note("lost the connection to Busbar (" + err.Error() + "); trying again")
	}
	s.away = true
}

func (s *screen) back() {
	s.away = false
	s.note("connected again")
}

// printable keeps what a server sends from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
