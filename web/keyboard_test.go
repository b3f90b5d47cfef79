package web_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"busbar"
)

// mostStops is how many stops a page may have before what somebody wants to get at.
const mostStops = 150

// tabTo goes from stop to stop until one that a selector names has the focus. Each stop must show that it has it.
func (c *chrome) tabTo(selector string) {
	c.t.Helper()
	quoted, err := json.Marshal(selector)
	must(c.t, err)
	for range mostStops {
		at := eval[struct {
			There, Seen bool
			HTML        string
		}](c, `(e => ({
			there: e.matches(`+string(quoted)+`),
			seen: e === document.body || e.matches(".graph a") || getComputedStyle(e).outlineStyle !== "none" || e.closest(".box, .check") !== null,
			html: e.outerHTML.slice(0, 150),
		}))(document.activeElement ?? document.body)`)
		if !at.Seen {
			c.t.Errorf("one does not see that this has the focus: %s", at.HTML)
		}
		if at.There {
			return
		}
		c.press(kb.Tab)
	}
	c.t.Fatalf("the keyboard does not reach %s\n%s", selector, c.where())
}

// choose goes to a link or a button, and presses Enter.
func (c *chrome) choose(selector string) {
	c.t.Helper()
	c.tabTo(selector)
	c.press(kb.Enter)
}

// The whole way of a newcomer without a mouse: the printed link, an endpoint, a test, an event and its delivery, a rule from the
// library, and its first firing.
func TestANewcomerGetsToTheFirstFiringByKeyboardAlone(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	a.cluster.deliverAtOnce()
	a.createHome()
	a.report("ev-charger", `{"isConnected":true,"isCharging":false}`)
	a.report("meter", `{"importPower":-5.6}`)
	a.report("battery", `{"level":98}`)
	must(t, a.store.CreateLoginLink(t.Context(), busbar.HashToken("link"), admin.ID, a.now().Add(busbar.LoginLinkTime)))
	c := newChrome(t, url)
	c.open("/welcome/link")
	c.choose("main button[type=submit]")
	c.until("the first steps", `document.querySelector("ol.steps") !== null`)
	c.choose(`ol.steps a[href="/sandbox/endpoints/new"]`)
	c.until("the form", `document.querySelector("#url") !== null`)
	c.tabTo("#url")
	c.press("http://127.0.0.1:9000/hook" + kb.Tab + "My first endpoint" + kb.Enter)
	c.until("the secret", `document.querySelector("#secret")?.innerText.startsWith("whsec_") === true`)
	c.choose("main .head a.button")
	c.until("the endpoint", `document.querySelector("h1")?.innerText === "My first endpoint"`)
	c.choose(`form[action$="/test"] button`)
	c.until("the test", `document.body.innerText.includes("It answered 200")`)
	c.choose(`.nav a[href="/sandbox/event-types"]`)
	c.until("the event types", `document.querySelector("h1")?.innerText === "Event types"`)
	c.choose(`main a[href="/sandbox/event-types/device.updated"]`)
	c.until("the form", `document.querySelector("#send") !== null`)
	c.choose("#send button[type=submit]")
	c.until("the event", `document.body.innerText.includes("The event was accepted.")`)
	c.until("its delivery", `[...document.querySelectorAll("main .badge")].some(b => b.innerText.trim() === "delivered")`)
	c.readsInDrawer("main .table td.main-cell a[href*='/deliveries/']", "thanks")

	c.open("/sandbox")
	c.choose(`.nav a[href="/sandbox/rules"]`)
	c.until("no rules", `document.querySelector(".empty a.button") !== null`)
	c.choose(".empty a.button")
	c.until("the library", `document.querySelector("h1")?.innerText === "Library"`)
	c.choose(`a[href$="from=battery-full-charge-car"]`)
	c.until("the editor", `document.querySelector("#name")?.value === "Charge the car when the battery is full"`)
	c.choose(`button[value="save"]`)
	c.until("the rule", `document.body.innerText.includes("The rule was created.")`)
	a.report("battery", `{"level":99.5}`)
	c.until("its firing", `document.querySelector("main").innerText.includes("Fired: send charge")`)
	c.choose(`main .table td.main-cell a[href*="/runs/"]`)
	c.until("why", `document.querySelector("h1")?.innerText === "Run" && document.body.innerText.includes("Condition")`)
	if strings.Contains(a.logs.String(), "page failed") {
		t.Error(a.logs.String())
	}
}

// readsInDrawer opens what a link leads to beside the page, goes around in it, and closes it: the focus stays in the drawer
// while that is open, and is where it was afterwards.
func (c *chrome) readsInDrawer(link, text string) {
	c.t.Helper()
	// Before the script is there, the link is one like any other.
	c.until("the feed", `document.querySelector(".live")?.dataset.state === "on"`)
	c.choose(link)
	c.until(text, `document.querySelector("dialog[open] #drawer-body")?.innerText.includes("`+text+`") === true`)
	for range 30 {
		if out := eval[string](c, `(e => e === document.body || e.closest("#drawer") ? "" : e.outerHTML.slice(0, 150))(document.activeElement)`); out != "" {
			c.t.Fatalf("the focus leaves an open drawer for %s", out)
		}
		c.press(kb.Tab)
	}
	c.press(kb.Escape)
	c.until("the drawer to close", `document.querySelector("dialog[open]") === null`)
	quoted, err := json.Marshal(link)
	must(c.t, err)
	if !eval[bool](c, `document.activeElement.matches(`+string(quoted)+`)`) {
		c.t.Errorf("the focus is not given back, but is at %s", eval[string](c, `document.activeElement.outerHTML.slice(0, 150)`))
	}
}
