package web_test

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

func TestADeviceIsCreatedChangedAndDeletedByForms(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	wantPage(t, b.get("/sandbox/devices/new"), http.StatusOK, "A device belongs to a site")
	b.app.createHome()
	once := onceField.FindStringSubmatch(b.get("/sandbox/devices/new?siteId=home").body)
	if once == nil {
		t.Fatal("the form can be sent twice")
	}
	form := url.Values{
		"once": {once[1]}, "id": {"wallbox"}, "type": {"ev_charger"}, "siteId": {"home"}, "name": {"Wallbox <b>"}, "vendor": {"Acme"}, "model": {"11"},
		"staleAfter": {"5m"}, "driverKind": {"http"}, "driverUrl": {"http://127.0.0.1:9/c"}, "driverSecret": {""},
		// What other kinds of drivers have is hidden, but sent.
		"driverApiKey": {"left over"}, "driverDeviceId": {"left over"},
	}
	created := b.post("/sandbox/devices", form)
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(created.body)
	wantPage(t, created, http.StatusOK, "The device was created.", "Wallbox &lt;b&gt;", "the only time")
	if secret == "" || created.header.Get("Content-Encoding") != "" {
		t.Errorf("secret %q, encoding %q", secret, created.header.Get("Content-Encoding"))
	}
	if again := b.post("/sandbox/devices", form); !strings.Contains(again.body, secret) {
		t.Error("sending the form again did not show the same device")
	}
	const path = "/sandbox/devices/wallbox"
	wantPage(t, b.get(path), http.StatusOK, "Acme 11", "5 min", "http://127.0.0.1:9/c")
	edit := b.get(path + "/edit")
	wantPage(t, edit, http.StatusOK, `value="http" selected`, `name="commands" value="charge" checked`, `name="commands" value="idle" checked`)
	if strings.Contains(edit.body, secret) {
		t.Error("the form shows the secret")
	}
	form.Set("commands", "idle")
	form.Set("name", "Garage")
	form.Set("staleAfter", "")
	wantPage(t, b.post(path+"/edit", form), http.StatusOK, "The settings were saved.", "Garage", "15 min")
	d, err := b.app.store.DeviceWithSecret(t.Context(), busbar.Sandbox, "wallbox")
	must(t, err)
	if diff := cmp.Diff(busbar.Driver{Kind: busbar.DriverHTTP, URL: "http://127.0.0.1:9/c", Secret: secret}, d.Driver); diff != "" {
		t.Errorf("a driver that was left alone (-want +got):\n%s", diff)
	}
	if _, ok := d.Commands["idle"]; !ok || len(d.Commands) != 1 {
		t.Errorf("commands %v, want idle alone", d.Commands)
	}
	form["commands"] = []string{"idle", "charge"}
	form.Set("driverRenew", "yes")
	renewed := b.post(path+"/edit", form)
	if next := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(renewed.body); next == "" || next == secret {
		t.Errorf("a new secret was asked for, and is %q", next)
	}
	if d, err = b.app.store.Device(t.Context(), busbar.Sandbox, "wallbox"); err != nil || len(d.Commands) != 2 || len(d.Commands["charge"].Parameters) == 0 {
		t.Errorf("commands %v, %v", d.Commands, err)
	}
	form.Set("driverKind", "manual")
	wantPage(t, b.post(path+"/edit", form), http.StatusOK, "The settings were saved.", "manual")
	wantPage(t, b.get(path+"/delete"), http.StatusOK, "Delete this device?")
	wantPage(t, b.post(path+"/delete", nil), http.StatusOK, "The device was deleted.")
	wantPage(t, b.get(path), http.StatusNotFound)
	audit := b.get("/audit").body
	for _, action := range []string{"device.create", "device.update", "device.delete"} {
		if !strings.Contains(audit, action) {
			t.Errorf("the audit log lacks %s", action)
		}
	}
	if strings.Contains(audit, "whsec_") {
		t.Error("the audit log has a secret")
	}
}

func TestWhatIsWrongWithADeviceIsSaidBesideItsField(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	fine := url.Values{"type": {"battery"}, "siteId": {"home"}, "driverKind": {"manual"}}
	for field, form := range map[string]url.Values{
		"type":           {"type": {"toaster"}},
		"siteId":         {"siteId": {"nowhere"}},
		"id":             {"id": {"a b"}},
		"staleAfter":     {"staleAfter": {"soon"}},
		"name":           {"name": {strings.Repeat("n", 101)}},
		"driverKind":     {"driverKind": {"telepathy"}},
		"driverUrl":      {"driverKind": {"http"}, "driverUrl": {"http://169.254.169.254/"}},
		"driverSecret":   {"driverKind": {"http"}, "driverUrl": {"http://127.0.0.1:9/"}, "driverSecret": {"short"}},
		"driverApiKey":   {"driverKind": {"amps"}, "driverUrl": {"http://127.0.0.1:9/"}, "driverDeviceId": {"x"}},
		"driverDeviceId": {"driverKind": {"amps"}, "driverUrl": {"http://127.0.0.1:9/"}, "driverApiKey": {"hush"}},
	} {
		sent := url.Values{}
		for _, values := range []url.Values{fine, form} {
			maps.Copy(sent, values)
		}
		got := b.post("/sandbox/devices", sent)
		wantPage(t, got, http.StatusUnprocessableEntity, `id="`+field+`-error"`)
		if strings.Contains(got.body, "hush") {
			t.Errorf("the page about %s has a secret", field)
		}
	}
	wantPage(t, b.post("/sandbox/devices", fine), http.StatusOK, "The device was created.")
	if n := len(b.app.items("/v1/devices?type=battery")); n != 2 {
		t.Errorf("%d batteries, want that of the home and a new one", n)
	}
	viewer := signedIn(t, busbar.RoleViewer)
	wantPage(t, viewer.get("/sandbox/devices/new"), http.StatusForbidden)
	wantPage(t, viewer.post("/sandbox/devices", fine), http.StatusForbidden)
}

// The fields of a driver come and go with its kind, without a line of script.
func TestTheFieldsOfADriverFollowItsKind(t *testing.T) {
	t.Parallel()
	a, address, admin := empty(t)
	a.createHome()
	c := newChrome(t, address)
	c.signInAs(a, admin)
	c.open("/sandbox/devices/new")
	shown := `[...document.querySelectorAll(".driver input")].filter(e => e.checkVisibility()).map(e => e.id).join(" ")`
	for kind, want := range map[string]string{
		"manual": "", "simulator": "", "http": "driverUrl driverSecret", "amps": "driverUrl driverApiKey driverDeviceId",
	} {
		if got := eval[string](c, `document.querySelector("#driverKind").value = "`+kind+`"; `+shown); got != want {
			t.Errorf("%s shows %q, want %q", kind, got, want)
		}
	}
}
