package listener

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"busbar"
	"busbar/internal/webhook"
)

// Sender makes attempts: over the network where the endpoint has an address, through the exchange where it is a
// listener's.
type Sender struct {
	exchange *Exchange
	client   *webhook.Client
}

// Sender makes a sender of a client, which signs for listeners too.
func (x *Exchange) Sender(client *webhook.Client) *Sender { return &Sender{x, client} }

// Send makes one attempt. That at a listener is answered by its program within the attempt's timeout, whichever
// process the program is connected to.
func (s *Sender) Send(ctx context.Context, r webhook.Request) webhook.Result {
	id, ok := busbar.ListenerOf(r.URL)
	if !ok {
		return s.client.Send(ctx, r)
	}
	signed, result, ok := s.client.Sign(r)
	if !ok {
		return result
	}
	attempt, cancel := context.WithTimeout(ctx, signed.Timeout)
	defer cancel()
	answer, err := s.exchange.deliver(attempt, id, r, signed)
	switch {
	case err == nil:
		return s.judge(signed, answer)
	case ctx.Err() != nil:
		return s.client.Unanswered(signed, webhook.ClassCanceled, "the attempt was cut short")
	case attempt.Err() != nil:
		return s.client.Unanswered(signed, webhook.ClassListener,
			fmt.Sprintf("no answer within %s: the listener is not connected", signed.Timeout))
	case busbar.CodeOf(err) == busbar.CodeNotFound:
		return s.client.Unanswered(signed, webhook.ClassListener, "the listener is gone")
	default:
		s.exchange.cfg.Logger.WarnContext(ctx, "hand request to listener", "endpoint_id", id, "delivery_id", r.DeliveryID, "error", err)
		return s.client.Unanswered(signed, webhook.ClassListener, "the request could not be handed to the listener")
	}
}

func (s *Sender) judge(signed webhook.Signed, a Answer) webhook.Result {
	if a.Class != webhook.ClassNone {
		return s.client.Unanswered(signed, a.Class, a.Reason)
	}
	result, err := s.client.Answered(signed, a.StatusCode, a.Header, a.Body)
	if err != nil {
		return s.client.Unanswered(signed, webhook.ClassProtocol, "the listener's answer cannot be read")
	}
	return result
}

// deliver offers a request and waits for its answer.
func (x *Exchange) deliver(ctx context.Context, id busbar.EndpointID, r webhook.Request, signed webhook.Signed) (Answer, error) {
	request := Request{
		ID: r.DeliveryID + "-" + strconv.Itoa(r.Attempt), DeliveryID: r.DeliveryID, EventID: r.MessageID, EventType: r.EventType,
		Attempt: r.Attempt, Header: signed.Header, Body: signed.Body, ExpiresAt: x.cfg.Now().Add(signed.Timeout),
	}
	content, err := json.Marshal(request)
	if err != nil {
		return Answer{}, fmt.Errorf("write request: %w", err)
	}
	heard, leave := x.bells.listen(request.ID)
	defer leave()
	err = x.cfg.Store.OfferRequest(ctx, busbar.ListenerRequest{
		ID: request.ID, EndpointID: id, DeliveryID: busbar.DeliveryID(r.DeliveryID), ExpiresAt: request.ExpiresAt, Content: content,
	})
	if err != nil {
		return Answer{}, err
	}
	defer x.drop(ctx, request.ID)
	x.bells.ring(string(id))
	again := time.NewTicker(x.look)
	defer again.Stop()
	for {
		text, err := x.cfg.Store.RequestAnswer(ctx, request.ID)
		if err != nil {
			return Answer{}, err
		}
		if text != nil {
			var a Answer
			if err := json.Unmarshal(text, &a); err != nil {
				return Answer{}, fmt.Errorf("read answer: %w", err)
			}
			return a, nil
		}
		select {
		case <-heard:
		case <-again.C:
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
}

// drop takes a request back that nobody waits for any more. What it fails to take back expires.
func (x *Exchange) drop(ctx context.Context, request string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	if err := x.cfg.Store.DropRequest(ctx, request); err != nil {
		x.cfg.Logger.WarnContext(ctx, "drop request of a listener", "request_id", request, "error", err)
	}
}
