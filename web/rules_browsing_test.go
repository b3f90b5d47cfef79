package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// The way of a newcomer from no rule at all to one that has fired, in a browser: once with script and once without.
func TestANewcomerGetsToTheFirstFiring(t *testing.T) {
	t.Parallel()
	for _, script := range []bool{true, false} {
		t.Run(map[bool]string{true: "with script", false: "without script"}[script], func(t *testing.T) {
			t.Parallel()
			a, url, admin := empty(t)
			a.createHome()
			a.report("ev-charger", `{"isConnected":true,"isCharging":false}`)
			a.report("meter", `{"importPower":-5.6}`)
			a.report("battery", `{"level":98}`)
			c := newChrome(t, url)
			c.signInAs(a, admin)
			if !script {
				c.withoutScript()
			}
			c.open("/sandbox/rules")
			c.click(`.empty a.button`)
			c.until("the library", `document.querySelector("h1")?.innerText === "Library"`)
			c.click(`a[href$="from=battery-full-charge-car"]`)
			c.until("the editor", `document.querySelector("#name")?.value === "Charge the car when the battery is full"`)
			c.until("what it makes of an event", `document.querySelector("#panel").innerText.includes("Were it true, it would then")`)
			c.click(`button[value="save"]`)
			c.until("the rule", `document.body.innerText.includes("The rule was created.")`)
			a.report("battery", `{"level":99.5}`)
			if !script {
				c.open(eval[string](c, "location.pathname"))
			}
			c.until("its firing", `document.querySelector("main").innerText.includes("Fired: send charge (current 8\u202fA)")`)
			if list := a.items("/v1/actions"); len(list) != 1 || list[0]["command"] != "charge" {
				t.Errorf("actions %v", list)
			}
		})
	}
}

func TestTheEditorCompletesAndUnderlinesWhileOneTypes(t *testing.T) {
	t.Parallel()
	a, url, admin := empty(t)
	a.createHome()
	a.report("battery", `{"level":50}`)
	c := newChrome(t, url)
	c.signInAs(a, admin)
	c.open("/sandbox/rule-new")
	offered := func() []string { return c.texts(`#offers:not([hidden]) li code`) }
	offers := func(what string) {
		t.Helper()
		c.await(what+" to be offered", func() bool { return slices.Contains(offered(), what) })
	}
	eval[bool](c, `[["name", "Typed"], ["deviceType", "battery"], ["then[0].push.device", "device"], ["then[0].push.command", "battery idle"]]
		.forEach(([id, value]) => { document.getElementById(id).value = value; }), document.getElementById("if").focus(), true`)
	c.press("state.le")
	offers("level")
	c.press(kb.Tab + ` >= 99 and any(site.evChargers, .st`)
	offers("state")
	c.press(kb.Tab + ".isC")
	offers("isConnected")
	c.press(kb.ArrowDown + kb.ArrowUp + kb.Tab + `) and state.status == "id`)
	offers(`"idle"`)
	c.press(kb.Tab)
	const whole = `state.level >= 99 and any(site.evChargers, .state.isConnected) and state.status == "idle"`
	if got := eval[string](c, `document.getElementById("if").value`); got != whole {
		t.Errorf("completed to %q", got)
	}
	c.press(" and state.lvl > 5")
	c.until("what is wrong", `document.getElementById("if-findings").innerText.includes("did you mean level?")`)
	if got := c.texts(".marks .error"); !slices.Equal(got, []string{"lvl"}) {
		t.Errorf("underlined is %q", got)
	}
	c.press(kb.Escape + strings.Repeat(kb.Backspace, len(" and state.lvl > 5")))
	c.until("that it is right", `document.getElementById("if-findings").innerText === ""`)
	eval[bool](c, `document.getElementById("then[0].push.command").value = "battery charge", document.getElementById("then[0].push.command").dispatchEvent(new Event("change", {bubbles: true})), true`)
	if !eval[bool](c, `document.querySelector('textarea[name="then[0].push.parameters.power.value"]:not(:disabled)') !== null`) {
		t.Error("a command that is chosen shows no parameters")
	}
	c.until("what it makes of the event", `document.querySelector("#panel").innerText.includes("state.level is 50")`)
	c.until("that it can be used", `document.querySelector("#panel").innerText.includes("It can be used as it is")`)
	c.accessible("the editor with what was found")
	c.click(`button[value="save"]`)
	c.until("the rule", `document.body.innerText.includes("The rule was created.")`)
	if got := want[struct{ Items []struct{ If string } }](a, http.StatusOK, http.MethodGet, "/v1/rules", ""); len(got.Items) != 1 || got.Items[0].If != whole {
		t.Errorf("saved as %v", got)
	}
}
