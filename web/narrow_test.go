package web_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// mostHeader is how much of a phone's first screen may go to what every page has, in CSS pixels. With an emergency stop in
// force it may have a line more.
const mostHeader = 110

func TestOnAPhoneTheFirstScreenIsThePagesOwn(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	c := newChrome(t, url)
	c.signInAs(a, admin)
	c.open("/sandbox") // for the font: what comes for the first time may have another one
	for _, width := range []int64{360, 390} {
		for _, path := range []string{"/live/devices", "/audit", "/sandbox"} {
			c.size(width, 780)
			c.open(path)
			if got := eval[int](c, `Math.round(document.querySelector("h1").getBoundingClientRect().top)`); got > mostHeader+20 {
				t.Errorf("%s at %d px begins at %d px", path, width, got)
			}
			if got := eval[int](c, `Math.round(document.querySelector("header").getBoundingClientRect().bottom)`); got > mostHeader {
				t.Errorf("%s at %d px has a header down to %d px, more than %d", path, width, got, mostHeader)
			}
			c.calm(path)
		}
	}
	// Everything is still there, and is seen when the keyboard comes to it.
	inside := `(r => r.width > 0 && r.left >= 0 && r.right <= innerWidth && r.top >= 0 && r.bottom <= innerHeight)(document.activeElement.getBoundingClientRect())`
	for _, selector := range []string{
		".env a", "a.emergency", `.nav a[href="/sandbox/devices"]`, `.nav a[href="/about"]`, ".me > summary", ".me .who a", ".themes button[value=dark]", `.me button[formaction="/logout"]`,
	} {
		if selector == ".me .who a" {
			c.press(kb.Enter)
			c.until("the account to open", `document.querySelector(".me").open`)
		}
		c.tabTo(selector)
		if !eval[bool](c, inside) {
			t.Errorf("%s has the focus where one does not see it", selector)
		}
	}
	c.calm("the open account")
	c.accessible("the open account")
	c.press(kb.Enter)
	c.until("the page to sign in", `location.pathname === "/login"`)
}

func TestOnAPhoneAnEmergencyStopIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":false}`)
	c := newChrome(t, url)
	c.signInAs(a, admin)
	c.size(360, 780)
	c.open("/sandbox/events")
	c.accessible("stopped")
	for _, selector := range []string{"a.emergency.on", ".stopped", "h1"} {
		if !eval[bool](c, `(r => r.top >= 0 && r.bottom <= 500)(document.querySelector("`+selector+`").getBoundingClientRect())`) {
			t.Errorf("%s is not on the first screen", selector)
		}
	}
	c.picture("phone-stopped", false)
}

func TestWithoutScriptTheAccountIsOpenWhereThereIsRoomAndFoldedOnAPhone(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	c := newChrome(t, url)
	c.signInAs(a, admin)
	c.withoutScript()
	c.open("/sandbox")
	const shown = `document.querySelector('.me button[formaction="/logout"]').checkVisibility({contentVisibilityAuto: true})`
	if !eval[bool](c, shown) {
		t.Error("where there is room, one cannot sign out")
	}
	c.size(360, 780)
	if eval[bool](c, shown) {
		t.Error("on a phone, the account takes a line of its own")
	}
	c.click(".me > summary")
	c.until("the account to open", shown)
}
