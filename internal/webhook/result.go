package webhook

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrorClass says in one word why an attempt failed. It is empty for a success.
type ErrorClass string

const (
	// ClassNone is a success: a 2xx answer whose body was read to its end or to the cap in time.
	ClassNone ErrorClass = ""
	// ClassStatus is an answer that is neither 2xx nor 3xx, whatever became of its body.
	ClassStatus ErrorClass = "http_status"
	// ClassRedirect is a 3xx answer. It is never followed.
	ClassRedirect ErrorClass = "redirect"
	// ClassTimeout is an attempt that had no response header in time, whatever it was waiting for.
	ClassTimeout ErrorClass = "timeout"
	// ClassBodyTimeout is a 2xx answer whose body neither ended nor reached the cap in time.
	ClassBodyTimeout ErrorClass = "body_timeout"
	// ClassDNS is a name that could not be resolved.
	ClassDNS ErrorClass = "dns"
	// ClassConnect is a connection that was refused or found no way.
	ClassConnect ErrorClass = "connect"
	// ClassTLS is a handshake that failed, most often for a certificate.
	ClassTLS ErrorClass = "tls"
	// ClassForbidden is a target that may not be dialled.
	ClassForbidden ErrorClass = "forbidden_address"
	// ClassProtocol is a connection that broke after it was made, or an answer that is not HTTP or too large.
	ClassProtocol ErrorClass = "protocol"
	// ClassCanceled is an attempt that its caller, or Close, cut short. It says nothing about the endpoint.
	ClassCanceled ErrorClass = "canceled"
	// ClassListener is a request that the program of a listener neither took nor answered in time.
	ClassListener ErrorClass = "listener_away"
	// ClassRequest is a request that cannot be made: no key, no message id, no URL, a bad header. Nothing was dialled.
	ClassRequest ErrorClass = "request"
)

// Timing splits an attempt. What did not happen is zero: a reused connection has no DNS, Connect and TLS.
type Timing struct {
	DNS     time.Duration
	Connect time.Duration
	TLS     time.Duration
	// FirstByte is from having a connection to the first byte of the response.
	FirstByte time.Duration
	// Total is from the start to the last byte that was read.
	Total  time.Duration
	Reused bool
}

// Endpoint is the time that the endpoint took of an attempt: what went by before there was a connection to wait for, and what
// this machine needed to come to it, is not its doing. Without a first byte it is all of the attempt.
func (t Timing) Endpoint(all time.Duration) time.Duration {
	if t.FirstByte == 0 {
		return all
	}
	return t.DNS + t.Connect + t.TLS + t.FirstByte
}

// Result is what became of one attempt. Its texts are valid UTF-8 without NUL, as PostgreSQL wants them.
type Result struct {
	At       time.Time
	Duration time.Duration
	Timing   Timing
	// StatusCode is 0 when there was no response.
	StatusCode int
	// RequestHeader is what was sent, the values of the user's own headers masked.
	RequestHeader http.Header
	// ResponseHeader holds at most 8 KiB of names and values; what comes later in the alphabet is left out.
	ResponseHeader http.Header
	// ResponseBody is at most MaxBody bytes, bytes that are no text replaced.
	ResponseBody string
	// Truncated says that the body reached the cap and was not known to end there.
	Truncated bool
	Class     ErrorClass
	// Err is one line for people, empty for a success. It holds no secret.
	Err string
	// RetryAfter is what a 429 or 503 asked for, 0 to 24 h.
	RetryAfter time.Duration
	// Disable is the receiver's wish to get no more: 410, or the response header "webhook-delivery: disable".
	Disable bool
	// Abort is the receiver's wish that a failed message is not tried again: "webhook-delivery: abort-message".
	Abort bool
}

// OK says whether the attempt succeeded.
func (r Result) OK() bool { return r.Class == ClassNone }

const (
	maxResponseHeader = 8 << 10
	maxErrText        = 300
)

// boundHeader copies what fits, in the order of names so that the same answer is always cut alike.
func boundHeader(header http.Header) http.Header {
	bounded := make(http.Header, len(header))
	left := maxResponseHeader
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			value = cleanText(value, maxResponseHeader)
			left -= len(name) + len(value)
			if left < 0 {
				return bounded
			}
			bounded[name] = append(bounded[name], value)
		}
	}
	return bounded
}

// cleanText makes text that any store keeps, of at most limit bytes.
func cleanText(text string, limit int) string {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	}
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
