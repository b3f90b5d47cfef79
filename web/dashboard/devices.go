package dashboard

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func deviceRoutes() []Route {
	return []Route{
		get("/{env}/devices", busbar.RoleViewer, listDevices),
		get("/{env}/devices/{id}", busbar.RoleViewer, showDevice),
		post("/{env}/devices/{id}/settings", busbar.RoleOperator, changeSettings),
		post("/{env}/devices/{id}/fault", busbar.RoleOperator, setFault),
		post("/{env}/devices/{id}/faults/clear", busbar.RoleOperator, clearFaults),
		post("/{env}/devices/{id}/hold/end", busbar.RoleOperator, endHold),
		get("/{env}/actions", busbar.RoleViewer, listActions),
		get("/{env}/actions/{id}", busbar.RoleViewer, showAction),
	}
}

func listDevices(q *request) error {
	shown, asked, err := q.filters("siteId", "type")
	if err != nil {
		return err
	}
	list, err := ask[api.List[api.Device]](q, http.MethodGet, "/v1/devices", args{query: asked})
	if err != nil {
		return err
	}
	sites, err := ask[api.List[api.Site]](q, http.MethodGet, "/v1/sites", args{query: url.Values{"limit": {"200"}}})
	if err != nil {
		return err
	}
	cursor := asked.Get("cursor")
	f := q.frame("devices", "Devices")
	if cursor == "" {
		f = q.live(f)
	}
	return q.render(http.StatusOK, view.Devices(f, view.DevicesPage{
		Now: q.now(), Devices: list.Items, Sites: sites.Items, Filters: view.Form{Values: shown},
		Pages: pages(q.at("/devices"), shown, cursor, list.NextCursor),
	}))
}

func (q *request) device() (api.Device, error) {
	return ask[api.Device](q, http.MethodGet, "/v1/devices/{id}", args{params: byID(q.id())})
}

func showDevice(q *request) error {
	return q.showDevice(http.StatusOK, view.Form{})
}

// showDevice shows a device, maybe with what is wrong with a form that was sent.
func (q *request) showDevice(status int, form view.Form) error {
	d, err := q.device()
	if err != nil {
		return err
	}
	site, err := ask[api.Site](q, http.MethodGet, "/v1/sites/{id}", args{params: byID(string(d.SiteID))})
	if err != nil {
		return err
	}
	p := view.DevicePage{Now: q.now(), Device: d, Site: site, Form: form, Once: q.form().Once}
	actions, err := ask[api.List[api.Action]](q, http.MethodGet, "/v1/actions", args{query: url.Values{"deviceId": {q.id()}, "limit": {"8"}}})
	if err != nil {
		return err
	}
	p.Actions = actions.Items
	if p.Names, err = q.runNames(); err != nil {
		return err
	}
	if p.Runs, err = q.runsOf(actions.Items, shownFirings); err != nil {
		return err
	}
	if d.Driver.Kind == busbar.DriverSimulator {
		faults, err := ask[api.List[api.Fault]](q, http.MethodGet, "/v1/simulator/faults", args{query: url.Values{"deviceId": {q.id()}}})
		if err != nil {
			return err
		}
		p.Faults = faults.Items
	}
	if p.Charts, err = q.charts(&d); err != nil {
		return err
	}
	f := q.frame("devices", "Device")
	if len(form.Errors) == 0 {
		f = q.live(f)
	}
	return q.render(status, view.Device(f, p))
}

// chartTime is how far back the small charts of a device go.
const chartTime = 6 * time.Hour

// charts are what the device reported lately of each number that changes.
func (q *request) charts(d *api.Device) ([]view.Chart, error) {
	var charts []view.Chart
	now := q.now()
	since := now.Add(-chartTime).UTC()
	spec := d.DeviceType.Spec()
	for i := range spec.Fields {
		field := &spec.Fields[i]
		if _, there := d.State[field.Name]; !there || field.Kind != busbar.KindNumber {
			continue
		}
		points, err := ask[api.List[api.HistoryPoint]](q, http.MethodGet, "/v1/devices/{id}/history", args{
			params: byID(string(d.ID)), query: url.Values{"field": {field.Name}, "since": {since.Format(time.RFC3339)}, "limit": {"200"}},
		})
		if err != nil {
			return nil, err
		}
		if c, ok := view.NewChart(field, points.Items); ok {
			charts = append(charts, c)
		}
	}
	return charts, nil
}

func changeSettings(q *request) error {
	before, err := q.device()
	if err != nil {
		return err
	}
	form := q.form()
	body := map[string]any{}
	for name, setting := range before.Settings {
		text := strings.TrimSpace(form.Get("setting-" + name))
		if text == "" {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			form.Errors = map[string]string{"setting-" + name: "Must be a number."}
			return q.showDevice(http.StatusUnprocessableEntity, form)
		}
		body[name] = map[string]any{"value": value, "unit": setting.Unit}
	}
	if len(body) == 0 {
		q.redirect(q.at("/devices/%s", q.id()))
		return nil
	}
	_, err = ask[api.UpdatedSettings](q, http.MethodPost, "/v1/"+before.DeviceType.Segment()+"/{id}/settings", args{params: byID(q.id()), body: body})
	if err != nil {
		if !q.refused(besideSettings(err, before.Settings), &form, slices.Collect(maps.Keys(form.Values))...) {
			return err
		}
		return q.showDevice(http.StatusUnprocessableEntity, form)
	}
	return q.done(q.at("/devices/%s", q.id()), "The settings were saved.")
}

// besideSettings has an error name the fields of the form instead of those of the API's body.
func besideSettings[V any](err error, settings map[string]V) error {
	var known *busbar.Error
	if !errors.As(err, &known) {
		return err
	}
	moved := *known
	moved.Fields = slices.Clone(known.Fields)
	for i := range moved.Fields {
		field := &moved.Fields[i]
		name, _, _ := strings.Cut(field.Path, ".")
		if _, ok := settings[name]; ok {
			field.Path, field.Message = "setting-"+name, strings.TrimPrefix(field.Message, name+" ")
		}
	}
	return &moved
}

func setFault(q *request) error {
	form := q.form()
	body := map[string]any{"kind": form.Get("kind")}
	if v := form.Get("for"); v != "" {
		body["for"] = v
	}
	_, err := ask[api.Fault](q, http.MethodPost, "/v1/simulator/{id}/faults", args{params: byID(q.id()), body: body})
	if err != nil {
		if !q.refused(err, &form) {
			return err
		}
		return q.showDevice(http.StatusUnprocessableEntity, form)
	}
	return q.done(q.at("/devices/%s", q.id()), "The device misbehaves from now on.")
}

func clearFaults(q *request) error {
	if _, err := ask[api.Deleted](q, http.MethodDelete, "/v1/simulator/{id}/faults", args{params: byID(q.id())}); err != nil {
		return err
	}
	return q.done(q.at("/devices/%s", q.id()), "The device behaves again.")
}

func endHold(q *request) error {
	if _, err := ask[api.Hold](q, http.MethodDelete, "/v1/devices/{id}/hold", args{params: byID(q.id())}); err != nil {
		return err
	}
	return q.done(q.at("/devices/%s", q.id()), "Rules may act on the device again.")
}

func listActions(q *request) error {
	shown, asked, err := q.filters("deviceId", "siteId", "state")
	if err != nil {
		return err
	}
	asked.Del("since")
	shown.Del("last")
	list, err := ask[api.List[api.Action]](q, http.MethodGet, "/v1/actions", args{query: asked})
	if err != nil {
		return err
	}
	cursor := asked.Get("cursor")
	f := q.frame("actions", "Actions")
	if cursor == "" {
		f = q.live(f)
	}
	names, err := q.runNames()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Actions(f, view.ActionsPage{
		Now: q.now(), Actions: list.Items, Names: names, Filters: view.Form{Values: shown}, Pages: pages(q.at("/actions"), shown, cursor, list.NextCursor),
	}))
}

func showAction(q *request) error {
	a, err := ask[api.ActionDetail](q, http.MethodGet, "/v1/actions/{id}", args{params: byID(q.id())})
	if err != nil {
		return err
	}
	names, err := q.runNames()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Action(q.live(q.frame("actions", "Action")), view.ActionPage{Now: q.now(), Action: a, Names: names}))
}

// home is the site that the overview draws: the newest that has a meter; nil when there is none.
func (q *request) home() (*view.Home, error) {
	meters, err := ask[api.List[api.Device]](q, http.MethodGet, "/v1/devices", args{query: url.Values{"type": {string(busbar.Meter)}, "limit": {"1"}}})
	if err != nil || len(meters.Items) == 0 {
		return nil, err
	}
	site := meters.Items[0].SiteID
	devices, err := ask[api.List[api.Device]](q, http.MethodGet, "/v1/devices", args{query: url.Values{"siteId": {string(site)}, "limit": {"200"}}})
	if err != nil {
		return nil, err
	}
	at, err := ask[api.Site](q, http.MethodGet, "/v1/sites/{id}", args{params: byID(string(site))})
	if err != nil {
		return nil, err
	}
	return view.NewHome(at, devices.Items), nil
}
