package web_test

import (
	"fmt"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/store"
)

// home is the site that the tests of devices live in; each family has a device there, which is called like its segment.
const home = "home"

// createHome makes the site and a device of each family.
func (a *app) createHome(headers ...string) {
	a.t.Helper()
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"home","name":"Home","timezone":"Europe/Berlin"}`, headers...)
	for _, f := range busbar.Families() {
		a.createDevice(fmt.Sprintf(`{"id":%q,"type":%q,"siteId":"home","driver":{"kind":"manual"}}`, f.Segment(), f), headers...)
	}
}

func (a *app) createDevice(body string, headers ...string) object {
	a.t.Helper()
	return want[object](a, http.StatusCreated, http.MethodPost, "/v1/devices", body, headers...)
}

// report has a device report a state, and gives what became of it.
func (a *app) report(device, state string) object {
	a.t.Helper()
	return want[object](a, http.StatusAccepted, http.MethodPost, "/v1/devices/"+device+"/state", `{"state":`+state+`}`)
}

// openAction is a command that a device has taken, and whose result is awaited.
func openAction(a *app, device busbar.DeviceID) busbar.Action {
	return busbar.Action{
		ID: "act_open", Environment: busbar.Sandbox, DeviceID: device, Family: busbar.Battery, SiteID: home, Command: "charge",
		Parameters: map[string]busbar.Quantity{"power": {Value: 3, Unit: busbar.Kilowatts}}, State: busbar.ActionAcknowledged,
		Slot: busbar.SlotCurrent, Phase: busbar.PhaseAwait, Tries: 1, ExpiresIn: busbar.DefaultExpiresIn, ExpiresAt: a.now().Add(busbar.DefaultExpiresIn),
		HoldFor: time.Hour, CreatedAt: a.now(), UpdatedAt: a.now(), AcknowledgedAt: a.now(), AcceptedAt: a.now(),
	}
}

// addAction puts an action into the database, as it may be found there.
func (a *app) addAction(act busbar.Action) {
	a.t.Helper()
	must(a.t, a.store.Decide(a.t.Context(), []busbar.Environment{act.Environment}, func(tx *store.DecisionTx) error { return tx.InsertAction(&act) }))
}
