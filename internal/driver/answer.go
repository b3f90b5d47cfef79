package driver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"busbar/internal/webhook"
)

// Bounds of what is taken over from others, in characters.
const (
	maxCode    = 64
	maxMessage = 500
)

// answered reports whether there is an answer to read.
func answered(result webhook.Result) bool {
	return result.Class == webhook.ClassNone || result.Class == webhook.ClassStatus
}

// noAnswer is the error that a request stands for when it got no answer to read.
func noAnswer(result webhook.Result) error {
	switch result.Class {
	case webhook.ClassTimeout, webhook.ClassBodyTimeout:
		return transient(CodeTimeout, "%s", result.Err)
	case webhook.ClassDNS, webhook.ClassConnect, webhook.ClassTLS, webhook.ClassProtocol:
		return transient(CodeUnreachable, "%s", result.Err)
	case webhook.ClassRedirect:
		return &RefusedError{CodeGatewayError, result.Err}
	case webhook.ClassForbidden:
		return &RefusedError{CodeForbidden, result.Err}
	case webhook.ClassRequest:
		return &RefusedError{CodeMisconfigured, result.Err}
	case webhook.ClassCanceled:
		return fmt.Errorf("%w: %s", ErrInterrupted, result.Err)
	case webhook.ClassNone, webhook.ClassStatus, webhook.ClassListener: // a driver's URL is never a listener's
	}
	return fmt.Errorf("an answer of class %q was taken for none: %s", result.Class, result.Err)
}

// outcomeOf has a refusal be the outcome of a push or a poll.
func outcomeOf(err error) (Outcome, error) {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return Refused(refused.Code, refused.Message), nil
	}
	return Outcome{}, err
}

// passing reports whether a status says that asking again may help.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// statusError is the transient error that a status stands for.
func statusError(who string, result webhook.Result) *Error {
	code := CodeUnavailable
	switch result.StatusCode {
	case http.StatusTooManyRequests:
		code = CodeRateLimited
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		code = CodeTimeout
	case http.StatusConflict:
		code = CodeConflict
	}
	e := transient(code, "the %s answered %d", who, result.StatusCode)
	e.RetryAfter = result.RetryAfter
	return e
}

// clip makes one line of printable text, cut at so many characters.
func clip(text string, most int) string {
	// Longer texts are cut first, so that a hostile one costs nothing.
	if len(text) > 4*most {
		text = text[:4*most]
	}
	text = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(strings.TrimSpace(text))
	return strings.TrimSpace(string(runes[:min(len(runes), most)]))
}
