package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func deviceFormRoutes() []Route {
	return []Route{
		get("/{env}/devices/new", busbar.RoleOperator, newDevice),
		post("/{env}/devices", busbar.RoleOperator, createDevice),
		get("/{env}/devices/{id}/edit", busbar.RoleOperator, editDevice),
		post("/{env}/devices/{id}/edit", busbar.RoleOperator, updateDevice),
		get("/{env}/devices/{id}/delete", busbar.RoleOperator, confirmDeleteDevice),
		post("/{env}/devices/{id}/delete", busbar.RoleOperator, deleteDevice),
	}
}

func deviceFields() []string {
	return []string{
		"id", "type", "siteId", "name", "vendor", "model", "userId", "staleAfter", "commands",
		"driverKind", "driverUrl", "driverSecret", "driverApiKey", "driverDeviceId",
	}
}

func newDevice(q *request) error {
	form := q.form()
	form.Values = url.Values{
		"type": {string(busbar.Battery)}, "siteId": {q.r.URL.Query().Get("siteId")}, "driverKind": {string(busbar.DriverManual)},
	}
	return q.deviceForm(http.StatusOK, nil, form)
}

func (q *request) deviceForm(status int, d *api.Device, form view.Form) error {
	sites, err := ask[api.List[api.Site]](q, http.MethodGet, "/v1/sites", args{query: url.Values{"limit": {"200"}}})
	if err != nil {
		return err
	}
	title := "New device"
	if d != nil {
		title = "Settings of a device"
	}
	return q.render(status, view.DeviceForm(q.frame("devices", title), view.DeviceFormPage{Device: d, Sites: sites.Items, Form: form}))
}

// deviceBody makes of a form what the API takes. What the driver's kind has no use for is left out: it is hidden, not empty.
func deviceBody(form view.Form, was *api.Device) map[string]any {
	field := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	body := map[string]any{"siteId": field("siteId")}
	for _, name := range []string{"name", "vendor", "model", "userId"} {
		body[name] = field(name)
	}
	if was == nil {
		body["type"] = field("type")
		if id := field("id"); id != "" {
			body["id"] = id
		}
	}
	if text := field("staleAfter"); text != "" {
		body["staleAfter"] = text
	} else if was != nil {
		body["staleAfter"] = nil
	}
	kind := busbar.DriverKind(field("driverKind"))
	driver := map[string]any{"kind": kind}
	write := func(name, from string) {
		if text := field(from); text != "" {
			driver[name] = text
		}
	}
	switch kind {
	case busbar.DriverHTTP:
		driver["url"] = field("driverUrl")
		write("secret", "driverSecret")
		if form.Has("driverRenew", "yes") {
			driver["secret"] = nil
		}
	case busbar.DriverAmps:
		driver["url"], driver["deviceId"] = field("driverUrl"), field("driverDeviceId")
		write("apiKey", "driverApiKey")
	case busbar.DriverSimulator, busbar.DriverManual:
	}
	body["driver"] = driver
	if was != nil {
		if commands, changed := commandsOf(form, was); changed {
			body["commands"] = commands
		}
	}
	return body
}

// commandsOf are those that were ticked: as the device has them, or else as its family does.
func commandsOf(form view.Form, was *api.Device) (commands busbar.Commands, changed bool) {
	commands = busbar.Commands{}
	for name, capability := range was.DeviceType.Spec().DefaultCommands() {
		own, had := was.Commands[name]
		wanted := form.Has("commands", name)
		changed = changed || wanted != had
		switch {
		case wanted && had:
			commands[name] = own
		case wanted:
			commands[name] = capability
		}
	}
	return commands, changed
}

// refusedDevice finds what is wrong with the form of a device. What the API has as driver.url is driverUrl here.
func (q *request) refusedDevice(err error, form *view.Form) bool {
	var known *busbar.Error
	if !errors.As(err, &known) {
		return false
	}
	renamed := *known
	renamed.Fields = slices.Clone(known.Fields)
	for i := range renamed.Fields {
		if name, ok := strings.CutPrefix(renamed.Fields[i].Path, "driver."); ok && name != "" {
			renamed.Fields[i].Path = "driver" + view.Sentence(name)
		}
	}
	return q.refused(&renamed, form, deviceFields()...)
}

func createDevice(q *request) error {
	form := q.form()
	created, err := ask[api.Device](q, http.MethodPost, "/v1/devices", args{body: deviceBody(form, nil), once: form.Once})
	if err != nil {
		if !q.refusedDevice(err, &form) {
			return err
		}
		return q.deviceForm(http.StatusUnprocessableEntity, nil, form)
	}
	return q.savedDevice(created, "The device was created. It shows its state when it reports.")
}

// savedDevice shows a secret that was made for the driver, which is never shown again.
func (q *request) savedDevice(d api.Device, said string) error {
	if d.Driver.Secret == "" {
		return q.done(q.at("/devices/%s", string(d.ID)), "%s", said)
	}
	q.private()
	f := q.frame("devices", "Secret of a device")
	f.Flash = &view.Flash{Tone: "good", Text: said}
	return q.render(http.StatusOK, view.DeviceSecret(f, d, d.Driver.Secret))
}

func editDevice(q *request) error {
	d, err := q.device()
	if err != nil {
		return err
	}
	form := q.form()
	form.Values = url.Values{
		"siteId": {string(d.SiteID)}, "name": {d.Name}, "vendor": {d.Vendor}, "model": {d.Model}, "userId": {d.UserID},
		"staleAfter": {d.StaleAfter}, "driverKind": {string(d.Driver.Kind)}, "driverUrl": {d.Driver.URL}, "driverDeviceId": {d.Driver.DeviceID},
	}
	for name := range d.Commands {
		form.Values.Add("commands", name)
	}
	return q.deviceForm(http.StatusOK, &d, form)
}

func updateDevice(q *request) error {
	before, err := q.device()
	if err != nil {
		return err
	}
	form := q.form()
	after, err := ask[api.Device](q, http.MethodPatch, "/v1/devices/{id}", args{params: byID(q.id()), body: deviceBody(form, &before)})
	if err != nil {
		if !q.refusedDevice(err, &form) {
			return err
		}
		return q.deviceForm(http.StatusUnprocessableEntity, &before, form)
	}
	return q.savedDevice(after, "The settings were saved.")
}

func confirmDeleteDevice(q *request) error {
	d, err := q.device()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.DeleteDevice(q.frame("devices", "Delete a device"), d))
}

func deleteDevice(q *request) error {
	_, err := ask[api.Deleted](q, http.MethodDelete, "/v1/devices/{id}", args{params: byID(q.id())})
	if err := q.conflict(err, q.at("/devices/%s", q.id())); err != nil {
		return stop(err)
	}
	return q.done(q.at("/devices"), "The device was deleted.")
}
