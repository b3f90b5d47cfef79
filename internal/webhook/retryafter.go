package webhook

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the longest wait a receiver can ask for.
const MaxRetryAfter = 24 * time.Hour

// ParseRetryAfter reads a Retry-After value, seconds or an HTTP date (RFC 9110, 10.2.3), as a wait from now between
// 0 and MaxRetryAfter. ok is false when it is neither.
func ParseRetryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		// Digits alone fail only for being too many.
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return clampRetryAfter(at.Sub(now)), true
}

func clampRetryAfter(wait time.Duration) time.Duration {
	return min(max(wait, 0), MaxRetryAfter)
}
