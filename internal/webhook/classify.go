package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// failure is a class and its line for people.
type failure struct {
	class ErrorClass
	text  string
}

// classify reads an error of an attempt that got no response. caller is the context of Send's caller, attempt the one
// that also carries the timeout. Texts are made here rather than taken over, because the network's own errors tell
// addresses of the inside.
func classify(caller, attempt context.Context, err error, m marks, timeout time.Duration) failure {
	if forbidden, ok := errors.AsType[*ForbiddenError](err); ok {
		return failure{ClassForbidden, cleanText(forbidden.Error(), maxErrText)}
	}
	if errors.Is(caller.Err(), context.Canceled) {
		return failure{ClassCanceled, "the attempt was cut short"}
	}
	if attempt.Err() != nil {
		return failure{ClassTimeout, fmt.Sprintf("no response within %s, %s", timeout, m.waitingFor())}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return failure{ClassDNS, "the name does not exist"}
		}
		return failure{ClassDNS, "the name could not be resolved"}
	}
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return failure{ClassTimeout, "gave up " + m.waitingFor()}
	}
	var alert tls.AlertError
	if m.tlsFailed || errors.As(err, &alert) {
		return failure{ClassTLS, "TLS failed: " + reason(err)}
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return failure{ClassConnect, "cannot connect: " + reason(err)}
	}
	return failure{ClassProtocol, "no valid response: " + reason(err)}
}

// classifyBody reads an error that came while the body of a 2xx answer was read.
func classifyBody(caller, attempt context.Context, err error, timeout time.Duration) failure {
	if errors.Is(caller.Err(), context.Canceled) {
		return failure{ClassCanceled, "the attempt was cut short"}
	}
	if attempt.Err() != nil {
		return failure{ClassBodyTimeout, fmt.Sprintf("the response body did not end within %s", timeout)}
	}
	return failure{ClassProtocol, "the response body broke off: " + reason(err)}
}

func reason(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	// The transport's own text for this wraps no error and prints its format.
	case strings.Contains(err.Error(), "readLoopPeekFailLocked"):
		return "the receiver spoke before it was asked"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	// What a receiver sent may be quoted in the error: one line of printable text is kept.
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, err.Error())
	return cleanText(line, maxErrText)
}
