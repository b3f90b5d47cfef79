package webhook

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// Signed is a request that is ready to go, for a carrier that takes it to a receiver which cannot be dialled. What the
// carrier brings back is made a Result by Answered or Unanswered.
type Signed struct {
	// Header is what the receiver gets, signature included.
	Header http.Header
	Body   []byte
	// Timeout is what the attempt may take.
	Timeout time.Duration

	at    time.Time
	shown http.Header
}

// Sign prepares a request without sending it. Its URL is not looked at. When it cannot be signed the result says why,
// and ok is false.
func (c *Client) Sign(r Request) (s Signed, result Result, ok bool) {
	s = Signed{Body: r.Body, Timeout: r.Timeout, at: c.config.Now()}
	if s.Timeout <= 0 {
		s.Timeout = c.config.Timeout
	}
	var err error
	if s.Header, s.shown, err = c.headers(r, s.at); err != nil {
		failed := classifyRequest(err)
		return s, c.Unanswered(s, failed.class, failed.text), false
	}
	return s, Result{}, true
}

// Answered is the result of a request that the receiver answered. It is judged like an answer over a connection of the
// client's own; a body of more than ClientConfig.MaxBody bytes is cut.
func (c *Client) Answered(s Signed, status int, header http.Header, body []byte) (Result, error) {
	result := c.carried(s)
	result.Timing.FirstByte = result.Duration
	resp := &http.Response{
		StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	if err := c.read(resp, &result, c.config.MaxBody); err != nil {
		return result, err
	}
	f := judgeStatus(status)
	result.Class, result.Err = f.class, f.text
	return result, nil
}

// Unanswered is the result of a request that was not answered, with a line for people that holds no secret.
func (c *Client) Unanswered(s Signed, class ErrorClass, reason string) Result {
	result := c.carried(s)
	result.Class, result.Err = class, cleanText(reason, maxErrText)
	return result
}

func (c *Client) carried(s Signed) Result {
	took := c.config.Now().Sub(s.at)
	return Result{At: s.at, Duration: took, Timing: Timing{Total: took}, RequestHeader: s.shown}
}
