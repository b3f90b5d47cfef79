package bench

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// maxOutstanding bounds the posts without an answer when the load does not wait for answers. At the bound events are posted late;
// their latency still counts from when they were due.
const maxOutstanding = 2048

// timestampFormat has the microseconds that the server keeps of an event's time.
const timestampFormat = "2006-01-02T15:04:05.000000Z07:00"

// load posts events and writes down in the ledger what became of them.
type load struct {
	client *client
	ledger *ledger
	filler string
	// dated gives events times of their own, in the order of their numbers and not that of their acceptance.
	dated bool
}

// filler returns n printable characters, the same ones for the same seed.
func filler(seed uint64, n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	source := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // padding, not a secret
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[source.IntN(len(alphabet))]
	}
	return string(text)
}

// newLoad prepares events whose data has the given size, at least minPayload.
func newLoad(c *client, l *ledger, payload Size, seed uint64) *load {
	return &load{client: c, ledger: l, filler: filler(seed, int(payload))}
}

// body makes the event: its data is {"n":…,"padding":"…"}, padded to the size of the filler.
func (l *load) body(n int, id string) []byte {
	number := strconv.Itoa(n)
	padding := len(l.filler) - len(`{"n":,"padding":""}`) - len(number)
	body := make([]byte, 0, len(l.filler)+len(id)+64)
	body = append(body, `{"eventId":"`...)
	body = append(body, id...)
	body = append(body, `","type":"`+eventType+`",`...)
	if l.dated {
		body = append(body, `"timestamp":"`...)
		body = l.ledger.origin.UTC().Add(time.Duration(n)*time.Microsecond).AppendFormat(body, timestampFormat)
		body = append(body, `",`...)
	}
	body = append(body, `"data":{"n":`...)
	body = append(body, number...)
	body = append(body, `,"padding":"`...)
	body = append(body, l.filler[:padding]...)
	return append(body, `"}}`...)
}

// post sends one event and returns when it was answered.
func (l *load) post(ctx context.Context, due time.Time) {
	n, id := l.ledger.begin(due, time.Now())
	code := l.client.post(ctx, id, l.body(n, id))
	if code != "" {
		l.ledger.refuse(n, code, time.Now())
		return
	}
	l.ledger.accept(n, time.Now())
}

// paced posts count events at a fixed rate and returns when all are answered, or the context ended.
func (l *load) paced(ctx context.Context, rate, count int) error {
	slots := make(chan struct{}, maxOutstanding)
	var posts sync.WaitGroup
	defer posts.Wait()
	return pace(ctx, rate, count, func(due time.Time) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		posts.Go(func() {
			defer func() { <-slots }()
			l.post(ctx, due)
		})
	})
}

// until says when an event of a closed loop makes room for the next.
type until bool

const (
	untilDelivered until = false
	untilAccepted  until = true
)

// closed keeps inFlight events under way until count were posted or stop ends, and returns when all are answered. An event that
// never arrives keeps its place: stop must end.
func (l *load) closed(ctx, stop context.Context, inFlight, count int, end until) error {
	slots := make(chan struct{}, inFlight)
	leave := func() {
		select {
		case <-slots:
		default:
		}
	}
	if end == untilDelivered {
		l.ledger.onSettled(leave)
		defer l.ledger.onSettled(func() {})
	}
	var posts sync.WaitGroup
	defer posts.Wait()
	for range count {
		select {
		case slots <- struct{}{}:
		case <-stop.Done():
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
		if stop.Err() != nil {
			return ctx.Err()
		}
		posts.Go(func() {
			l.post(ctx, time.Now())
			if end == untilAccepted {
				leave()
			}
		})
	}
	return nil
}
