package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Request is one attempt to deliver one message, or one call of an API that has an address of its user's choice.
type Request struct {
	URL string
	// Method is POST when empty. A request without a body names no content type.
	Method string
	// Header is the user's own. What CheckHeaders refuses is not sent.
	Header http.Header
	// MessageID is the id that is signed and told.
	MessageID string
	// Keys sign, one entry each, in this order. At least one, unless the request is Unsigned.
	Keys []Key
	// Unsigned leaves out the signature, and the id when there is none: for receivers that hold no key of ours.
	Unsigned bool
	Body     []byte
	// NoReplay fails the attempt when a kept connection dies under it, instead of sending again on another: for receivers
	// that do not know repeats.
	NoReplay bool
	// MaxBody is how many bytes of the response body are read. 0 is the client's.
	MaxBody int64
	// Timeout is from connecting to the last body byte. 0 is the client's.
	Timeout time.Duration
	// AllowHTTP permits plain http to public addresses: the sandbox.
	AllowHTTP bool

	// These are told in busbar-* headers; what is empty or 0 is left out.
	EventType   string
	DeliveryID  string
	Environment string
	Attempt     int
}

// build returns the request and the header to show for it, the user's own values masked.
func (c *Client) build(ctx context.Context, r Request, at time.Time) (req *http.Request, shown http.Header, err error) {
	target, err := parseTarget(r.URL)
	if err != nil {
		return nil, nil, err
	}
	sent, shown, err := c.headers(r, at)
	if err != nil {
		return nil, nil, err
	}
	if _, given := sent[headerIdempotency]; !given {
		// Without values the header is not sent; it tells the transport that the message may be sent again when a kept
		// connection turns out to be dead. Receivers know repeats by the message id.
		sent[headerIdempotency] = []string{}
	}
	method := cmp.Or(r.Method, http.MethodPost)
	req, err = http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, nil, errors.New("the request cannot be made")
	}
	req.Header = sent
	if r.NoReplay {
		req.GetBody = nil
	}
	return req, shown, nil
}

// headers returns the header to send and the one to show for it, the user's own values masked.
func (c *Client) headers(r Request, at time.Time) (sent, shown http.Header, err error) {
	if err := checkSendable(r.Header); err != nil {
		return nil, nil, err
	}
	ours, err := c.ownHeader(r, at)
	if err != nil {
		return nil, nil, err
	}
	if err := checkSendable(ours); err != nil {
		return nil, nil, err
	}
	sent = make(http.Header, len(ours)+len(r.Header)+1)
	shown = make(http.Header, len(ours)+len(r.Header))
	for name, values := range r.Header {
		if name = textproto.CanonicalMIMEHeaderKey(name); reserved(name) {
			continue
		}
		sent[name] = values
		for range values {
			shown[name] = append(shown[name], Masked)
		}
	}
	for name, values := range ours {
		sent[name], shown[name] = values, values
	}
	return sent, shown, nil
}

func sign(r Request, at time.Time) (string, error) {
	// A dot would let one signed text stand for two messages: "a.1" at 2 is "a" at "1.2".
	if r.MessageID == "" || strings.Contains(r.MessageID, ".") {
		return "", errors.New("the message id must not be empty or hold a dot")
	}
	if len(r.Keys) == 0 {
		return "", errors.New("there is no key to sign with")
	}
	entries := make([]string, len(r.Keys))
	for i, key := range r.Keys {
		if key.IsZero() {
			return "", fmt.Errorf("key %d of %d is empty", i+1, len(r.Keys))
		}
		entries[i] = key.Sign(r.MessageID, at, r.Body)
	}
	return strings.Join(entries, " "), nil
}

// ownHeader is what Busbar says by itself, signed unless the request is not to be.
func (c *Client) ownHeader(r Request, at time.Time) (http.Header, error) {
	header := http.Header{headerUserAgent: {c.userAgent}}
	set := func(value string, names ...string) {
		for _, name := range names {
			if value != "" {
				header[name] = []string{value}
			}
		}
	}
	set(r.MessageID, headerID, headerSvixID)
	set(r.EventType, headerEventType)
	set(r.DeliveryID, headerDeliveryID)
	set(r.Environment, headerEnvironment)
	if len(r.Body) > 0 {
		set("application/json", headerContentType)
	}
	if r.Attempt > 0 {
		set(strconv.Itoa(r.Attempt), headerAttempt)
	}
	if r.Unsigned {
		return header, nil
	}
	signatures, err := sign(r, at)
	if err != nil {
		return nil, err
	}
	set(strconv.FormatInt(at.Unix(), 10), headerTimestamp, headerSvixTimestamp)
	set(signatures, headerSignature, headerSvixSignature)
	return header, nil
}

// checkSendable finds what the transport would refuse, so that it is not taken for a fault of the receiver.
func checkSendable(header http.Header) error {
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) {
			return errors.New("a header name has characters that it cannot have")
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("header %s has characters that it cannot have", name)
			}
		}
	}
	return nil
}
