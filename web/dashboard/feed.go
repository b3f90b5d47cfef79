package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// maxFeedTime is how long a feed lasts at most; the page then opens another, for which the session is looked at again.
const maxFeedTime = 10 * time.Minute

// showFeed tells a page by server-sent events that something has changed. The id of each is the state that it tells of, so
// that a page that comes back with Last-Event-ID hears of what it has missed, and of nothing else.
func showFeed(q *request) error {
	v, leave, err := q.hub.join(q.env, q.session.ID)
	if err != nil {
		return err
	}
	defer leave()
	h := q.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(q.w)
	// What the page shows, and after a pause what it was told last.
	told := q.r.URL.Query().Get("seen")
	if last := q.r.Header.Get("Last-Event-Id"); last != "" {
		told = last
	}
	send := func(text string) bool {
		err := control.SetWriteDeadline(time.Now().Add(2 * keepAlive))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := fmt.Fprint(q.w, text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send(": hello\n\n") {
		return nil
	}
	end := time.NewTimer(maxFeedTime)
	defer end.Stop()
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		select {
		case mark := <-v.changed:
			id := feedID(mark)
			if id != told && !send("id: "+id+"\nevent: changed\ndata: \n\n") {
				return nil
			}
			told = id
			if !q.rest(v) {
				return nil
			}
		case <-alive.C:
			if !send(": still here\n\n") {
				return nil
			}
		case <-v.ended:
			return nil
		case <-end.C:
			return nil
		case <-q.ctx().Done():
			return nil
		}
	}
}

// rest waits until the page may be told of the next change.
func (q *request) rest(v *viewer) bool {
	pause := time.NewTimer(q.hub.pause())
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-v.ended:
		return false
	case <-q.ctx().Done():
		return false
	}
}

// feedID stands for a watermark, which names ids and counts.
func feedID(mark string) string {
	sum := sha256.Sum256([]byte(mark))
	return hex.EncodeToString(sum[:8])
}
