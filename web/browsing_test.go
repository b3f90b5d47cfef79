package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"busbar"
)

// The way of a newcomer, in a browser: the printed link, an endpoint, a test, an event, its delivery. Once with script and
// once without.
func TestANewcomerGetsToTheFirstWebhook(t *testing.T) {
	t.Parallel()
	for _, script := range []bool{true, false} {
		t.Run(map[bool]string{true: "with script", false: "without script"}[script], func(t *testing.T) {
			t.Parallel()
			a, url, admin := empty(t)
			a.cluster.deliverAtOnce()
			must(t, a.store.CreateLoginLink(t.Context(), busbar.HashToken("link"), admin.ID, a.now().Add(busbar.LoginLinkTime)))
			c := newChrome(t, url)
			if !script {
				c.withoutScript()
			}
			c.open("/welcome/link")
			c.click("button[type=submit]")
			c.until("the first steps", `document.querySelector("ol.steps") !== null`)
			c.click(`ol.steps a[href="/sandbox/endpoints/new"]`)
			c.until("the form", `document.querySelector("#url") !== null`)
			c.fill("#url", "http://127.0.0.1:9000/hook")
			c.fill("#description", "My first endpoint")
			c.click("main form button[type=submit]")
			c.until("the secret", `document.querySelector("#secret")?.innerText.startsWith("whsec_") === true`)
			c.click("main .head a.button")
			c.until("the endpoint", `document.querySelector("h1")?.innerText === "My first endpoint"`)
			c.click(`form[action$="/test"] button`)
			c.until("the test", `document.body.innerText.includes("It answered 200")`)
			c.open("/sandbox/event-types/device.updated")
			c.click(`#send button[type=submit]`)
			c.until("the event", `document.body.innerText.includes("The event was accepted.")`)
			if !script {
				// The page does not change by itself.
				c.await("the delivery to be made", func() bool {
					return len(a.items("/v1/deliveries?status=delivered&type=device.updated")) > 0
				})
				c.open(eval[string](c, "location.pathname"))
			}
			c.until("its delivery", `[...document.querySelectorAll("main .badge")].some(b => b.innerText.trim() === "delivered")`)
			c.click("main .table td.main-cell a")
			c.until("the attempt", `(document.querySelector("dialog[open] #drawer-body") ?? document.querySelector("main")).innerText.includes("thanks")`)
			if drawer := eval[bool](c, `document.querySelector("#drawer")?.open === true`); drawer != script {
				t.Errorf("the delivery opens beside the list: %v, want %v", drawer, script)
			}
		})
	}
}

// empty is an app with one person who may do everything.
func empty(t *testing.T) (a *app, url string, admin busbar.User) {
	t.Helper()
	a = newApp(t, options{})
	b := newBrowser(t, a)
	admin = a.addUser("Ada", busbar.RoleAdmin)
	return a, b.server.URL, admin
}

func TestTwoBrowsersSeeTheSameEventsLive(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	send := func(device string) {
		t.Helper()
		got := a.send(http.MethodPost, "/v1/events", `{"type":"device.updated","deviceId":"`+device+`","data":{"state":{}}}`)
		if got.Status != http.StatusAccepted {
			t.Fatal(got.Body)
		}
	}
	send("first")
	one, two := newChrome(t, url), newChrome(t, url)
	for _, c := range []*chrome{one, two} {
		c.signInAs(a, admin)
		c.open("/sandbox/events")
		c.until("the feed", `document.querySelector(".live")?.dataset.state === "on"`)
	}
	shows := func(device string) string {
		return `document.querySelector("#live")?.innerText.includes("` + device + `") === true`
	}
	send("second")
	one.until("the second event", shows("second"))
	two.until("the second event", shows("second"))

	one.click("button[data-pause]")
	send("third")
	two.until("the third event", shows("third"))
	if eval[bool](one, shows("third")) {
		t.Error("a page that was paused shows a new event")
	}
	if got := one.texts(".live span"); !slices.Equal(got, []string{"Paused"}) {
		t.Errorf("the page says %q", got)
	}
	one.click("button[data-pause]")
	one.until("the event that was missed", shows("third"))

	two.open("/sandbox/events?deviceId=first")
	two.until("the feed", `document.querySelector(".live")?.dataset.state === "on"`)
	send("fourth")
	one.until("the fourth event", shows("fourth"))
	if eval[bool](two, shows("fourth")) {
		t.Error("a live page forgets its filters")
	}
}

func TestAFeedThatFailsAtFirstIsTriedAgain(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	c := newChrome(t, url)
	c.signInAs(a, admin)
	_, err := chromedp.Call(c.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		const ask = fetch;
		window.failed = 0;
		window.fetch = (url, options) => {
			if (!String(url).includes("/feed") || failed === 2) return ask(url, options);
			failed++;
			return Promise.reject(new TypeError("no way there"));
		};`})
	must(t, err)
	c.open("/sandbox/events")
	c.until("the feed", `document.querySelector(".live")?.dataset.state === "on"`)
	if got := eval[int](c, "failed"); got != 2 {
		t.Errorf("the feed failed %d times", got)
	}
}

func TestThePagesWorkWithTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	a, url, _ := empty(t)
	c := newChrome(t, url)
	c.open("/login")
	c.press("Ada" + kb.Tab + "a long password" + kb.Enter)
	c.until("the overview", `document.querySelector("h1")?.innerText === "Overview"`)
	focus := func() string { return eval[string](c, `document.activeElement?.innerText?.trim() ?? ""`) }
	c.press(kb.Tab)
	if got := focus(); got != "Skip to the content" {
		t.Errorf("the first stop is %q", got)
	}
	c.press(kb.Enter)
	if got := eval[string](c, `document.activeElement?.id ?? ""`); got != "content" {
		t.Errorf("skipping leads to %q", got)
	}
	c.open("/sandbox")
	reached := ""
	for range 12 {
		c.press(kb.Tab)
		if reached = focus(); reached == "Endpoints" {
			break
		}
		if outline := eval[string](c, `getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
			t.Errorf("one does not see that %q has the focus", reached)
		}
	}
	if reached != "Endpoints" {
		t.Fatalf("the keyboard does not reach the endpoints, but %q", reached)
	}
	c.press(kb.Enter)
	c.until("the endpoints", `document.querySelector("h1")?.innerText === "Endpoints"`)
	c.open("/sandbox/endpoints/new")
	eval[bool](c, `document.querySelector("#url").focus(), true`)
	c.press("http://127.0.0.1:9000/hook" + kb.Enter)
	c.until("the secret", `document.querySelector("#secret") !== null`)
	if strings.Contains(a.logs.String(), "page failed") {
		t.Error(a.logs.String())
	}
}

// Pages that do not wait for the counts of a day get them by themselves.
func TestAPageThatIsAheadOfItsCountsCatchesUp(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{patience: time.Nanosecond})
	b := newBrowser(t, a)
	admin := a.addUser("Ada", busbar.RoleAdmin)
	a.cluster.deliverAtOnce()
	a.createDelivery()
	c := newChrome(t, b.server.URL)
	c.signInAs(a, admin)
	c.open("/sandbox")
	c.until("the counts", `document.querySelector("[data-counting]") === null && document.querySelector(".chart[role=img]").getAttribute("aria-label").includes("1 delivered")`)
}

// Without script, the page is asked for again by the browser until there are counts.
func TestWithoutScriptAPageThatIsAheadOfItsCountsCatchesUp(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{patience: time.Nanosecond})
	b := newBrowser(t, a)
	admin := a.addUser("Ada", busbar.RoleAdmin)
	a.cluster.deliverAtOnce()
	a.createDelivery()
	c := newChrome(t, b.server.URL)
	c.signInAs(a, admin)
	c.withoutScript()
	c.open("/sandbox")
	c.until("the counts", `document.querySelector(".chart[role=img]")?.getAttribute("aria-label").includes("1 delivered") === true`)
	if again := eval[bool](c, `document.querySelector("meta[http-equiv]") !== null`); again {
		t.Error("a page with counts is asked for again")
	}
}

// What somebody has opened and begun to fill in stays so while the page around it changes.
func TestALivePageLeavesAloneWhatIsBeingFilledIn(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	a.createHome()
	a.report("battery", `{"level":50}`)
	c := newChrome(t, url)
	c.signInAs(a, admin)
	c.open("/sandbox/devices/battery")
	c.until("the feed", `document.querySelector(".live")?.dataset.state === "on"`)
	eval[bool](c, `document.querySelector("#charge-power").closest("details").open = true, document.querySelector("#charge-power").focus(), true`)
	c.press("3.5")
	eval[bool](c, `document.querySelector("#charge-target").focus(), true`)
	for _, level := range []string{"51", "52"} {
		a.report("battery", `{"level":`+level+`}`)
		c.until("the new level", `document.querySelector("#live").innerText.includes("`+level+`\u202f%")`)
	}
	if got := eval[string](c, `document.querySelector("#charge-power").value`); got != "3.5" {
		t.Errorf("what was typed is now %q", got)
	}
	if !eval[bool](c, `document.querySelector("#charge-power").closest("details").open`) {
		t.Error("the form has closed")
	}
	if got := eval[string](c, `document.activeElement.id`); got != "charge-target" {
		t.Errorf("the focus went to %q", got)
	}
}
