package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"busbar"
	"busbar/internal/store"
)

// retryAt makes a delivery that has failed once and waits for its next try.
func (a *app) retryAt(endpoint string, next time.Time) string {
	a.t.Helper()
	event := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"device.updated","data":{"state":{}}}`)
	id := text(a.items(fmt.Sprintf("/v1/deliveries?eventId=%s&endpointId=%s", event["eventId"], endpoint))[0]["id"])
	a.failAgain(id, next)
	return id
}

// failAgain adds a try that was answered 503.
func (a *app) failAgain(delivery string, next time.Time) {
	a.t.Helper()
	a.attempt(delivery, busbar.DeliveryPending, busbar.Attempt{
		StatusCode: 503, ErrorClass: "status", Error: "the endpoint answered 503", NextAttemptAt: next,
	})
}

// finish adds a try that succeeds.
func (a *app) finish(delivery string) {
	a.t.Helper()
	a.attempt(delivery, busbar.DeliveryDelivered, busbar.Attempt{StatusCode: 200})
}

func (a *app) attempt(delivery string, status busbar.DeliveryStatus, attempt busbar.Attempt) {
	a.t.Helper()
	d, err := a.store.Delivery(a.t.Context(), busbar.Sandbox, busbar.DeliveryID(delivery))
	must(a.t, err)
	attempt.DeliveryID, attempt.Number, attempt.At, attempt.Duration = d.ID, d.Attempts+1, a.now(), time.Millisecond
	must(a.t, a.store.Finish(a.t.Context(), []*store.Finished{{Status: status, NextAttemptAt: attempt.NextAttemptAt, Attempt: attempt}}))
}

// focus gives the focus to what a selector finds.
func (c *chrome) focus(selector string) {
	c.t.Helper()
	quoted, err := json.Marshal(selector)
	must(c.t, err)
	eval[bool](c, `(e => { e.focus(); return document.activeElement === e; })(document.querySelector(`+string(quoted)+`))`)
}

// focused is where the focus leads to.
func (c *chrome) focused() string {
	c.t.Helper()
	return eval[string](c, `document.activeElement.getAttribute("href") ?? document.activeElement.outerHTML.slice(0, 150)`)
}

// watching has the browser at a live page that hears of changes.
func (c *chrome) watching(path string) {
	c.t.Helper()
	c.open(path)
	c.until("the feed", `document.querySelector(".live")?.dataset.state === "on"`)
}

// linkTo selects what leads to a delivery.
func linkTo(delivery string) string { return `main a[href$="` + delivery + `"]` }

func shows(selector string) string { return `document.querySelector('` + selector + `') !== null` }

func TestALivePageKeepsTheFocusOnItsItem(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	endpoint, _ := a.createEndpoint(plainEndpoint)
	later := func(minutes int) time.Time { return a.now().Add(time.Duration(minutes) * time.Minute) }
	first, second := a.retryAt(endpoint, later(20)), a.retryAt(endpoint, later(30))
	c := newChrome(t, url)
	c.signInAs(a, admin)
	for _, browser := range []string{"that moves elements as they are", "that takes elements out to move them"} {
		c.watching("/sandbox")
		if browser == "that takes elements out to move them" {
			eval[bool](c, `delete Element.prototype.moveBefore`)
		}
		c.focus(linkTo(second))
		sooner := a.retryAt(endpoint, later(10))
		c.until("a retry that comes before", shows(linkTo(sooner)))
		if got := c.focused(); !strings.HasSuffix(got, second) {
			t.Errorf("in a browser %s, another row takes the focus of %s to %s", browser, second, got)
		}
		a.failAgain(first, later(90))
		c.until("the first to be the last", `[...document.querySelectorAll("[id^=retry-]")].at(-1)?.id === "retry-`+first+`"`)
		c.focus(linkTo(first))
		a.failAgain(first, later(1))
		c.until("the last to be the first", `document.querySelector("[id^=retry-]")?.id === "retry-`+first+`"`)
		if got := c.focused(); !strings.HasSuffix(got, first) {
			t.Errorf("in a browser %s, a row that moves loses the focus of %s to %s", browser, first, got)
		}
		c.press(kb.Enter)
		c.until("the delivery that has the focus", `document.querySelector("dialog[open] #delivery")?.innerText.includes("`+first+`") === true`)
		if title := eval[string](c, "document.title"); !strings.HasPrefix(title, "Overview") {
			t.Errorf("the page of the list is called %q", title)
		}
		a.failAgain(first, later(80))
		c.until("the first to be the last", `[...document.querySelectorAll("[id^=retry-]")].at(-1)?.id === "retry-`+first+`"`)
		c.press(kb.Escape)
		c.until("the focus to be given back", `document.activeElement.getAttribute("href")?.endsWith("`+first+`") === true`)
		a.finish(sooner)
	}
}

func TestTheFocusGoesToTheNextItemWhenItsOwnIsGone(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	endpoint, _ := a.createEndpoint(plainEndpoint)
	oldest, middle, newest := a.retryAt(endpoint, a.now().Add(time.Hour)), a.retryAt(endpoint, a.now().Add(time.Hour)), a.retryAt(endpoint, a.now().Add(time.Hour))
	c := newChrome(t, url)
	c.signInAs(a, admin)
	c.watching("/sandbox/deliveries?status=pending")
	c.focus(linkTo(middle))
	for _, step := range []struct{ ends, next string }{{middle, oldest}, {oldest, newest}} {
		a.finish(step.ends)
		c.until("a delivery to go", "!("+shows(linkTo(step.ends))+")")
		if got := c.focused(); !strings.HasSuffix(got, step.next) {
			t.Errorf("after %s, the focus is at %s, want %s", step.ends, got, step.next)
		}
	}
	a.finish(newest)
	c.until("the list to be empty", shows("#live .empty"))
	if got := eval[string](c, "document.activeElement.id"); got != "content" {
		t.Errorf("with nothing left in the list, the focus is at %q", c.focused())
	}
}

// brittle serves an app that answers what script asks for with an error while it is broken.
func brittle(t *testing.T, a *app) (url string, broken *atomic.Bool) {
	t.Helper()
	broken = new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && r.Header.Get("Hx-Request") != "" {
			http.Error(w, "<p>an error page</p>", http.StatusServiceUnavailable)
			return
		}
		a.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(a.server.EndFeeds)
	return server.URL, broken
}

func TestALivePageKeepsWhatItShowsWhenItIsAnsweredWithAnError(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	url, broken := brittle(t, a)
	endpoint, _ := a.createEndpoint(plainEndpoint)
	first := a.retryAt(endpoint, a.now().Add(time.Hour))
	c := newChrome(t, url)
	c.signInAs(a, a.addUser("Ada", busbar.RoleAdmin))
	c.watching("/sandbox/deliveries")
	broken.Store(true)
	second := a.retryAt(endpoint, a.now().Add(time.Hour))
	c.until("the page to say that it waits", `document.querySelector(".live")?.dataset.state === "waiting"`)
	if !eval[bool](c, shows(linkTo(first))) {
		t.Errorf("the list is gone:\n%s", c.where())
	}
	broken.Store(false)
	c.until("the page to catch up", shows(linkTo(second)))
	c.until("the page to be live again", `document.querySelector(".live")?.dataset.state === "on"`)

	broken.Store(true)
	c.focus(linkTo(first))
	c.press(kb.Enter)
	c.until("the page of the delivery", `location.pathname.endsWith("`+first+`") && `+shows("main #delivery"))
}

func TestALivePageOfSomebodyWhoIsSignedOutAsksToSignIn(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	endpoint, _ := a.createEndpoint(plainEndpoint)
	c := newChrome(t, url)
	c.signInAs(a, admin)
	c.watching("/sandbox/deliveries?status=pending")
	sessions, err := a.store.SessionsOf(t.Context(), admin.ID)
	must(t, err)
	for i := range sessions {
		must(t, a.store.EndSession(t.Context(), admin.ID, sessions[i].ID))
	}
	a.retryAt(endpoint, a.now().Add(time.Hour))
	c.until("the page to sign in", `location.pathname === "/login"`)
	if next := eval[string](c, `new URLSearchParams(location.search).get("next")`); next != "/sandbox/deliveries?status=pending" {
		t.Errorf("signing in leads to %q", next)
	}
}
