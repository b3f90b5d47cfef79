package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

func TestRefusalsAboutDevices(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.createDevice(`{"id":"sim","type":"battery","siteId":"home","driver":{"kind":"simulator"}}`)
	a.createDevice(`{"id":"gateway","type":"battery","siteId":"home","driver":{"kind":"http","url":"http://127.0.0.1:9/"}}`)
	live := []string{"x-api-key: " + liveKey}
	a.createHome(live...)
	a.createDevice(`{"id":"sim","type":"battery","siteId":"home","driver":{"kind":"simulator"}}`, live...)
	a.addAction(openAction(a, "hvac"))
	before := a.state()
	const (
		get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
		sites, devices        = "/v1/sites", "/v1/devices"
		invalid               = busbar.CodeValidationFailed
		unknown               = busbar.CodeUnknownField
		none                  = busbar.CodeDeviceNotFound
	)
	device := func(more string) string {
		return `{"type":"battery","siteId":"home","driver":{"kind":"manual"}` + more + `}`
	}
	driver := func(fields string) string { return `{"type":"battery","siteId":"home","driver":{` + fields + `}}` }
	long := strings.Repeat("x", 101)
	for _, tc := range []scenario{
		{"site without all", post, sites, `{}`, nil, 422, invalid, "name timezone"},
		{"site with empty texts", post, sites, `{"name":"","timezone":null}`, nil, 422, invalid, "name timezone"},
		{"everything wrong with a site", post, sites, `{"id":"a b","name":"` + long + `","timezone":"Berlin","latitude":91,"longitude":-181}`, nil, 422, invalid, "id name timezone latitude longitude"},
		{"the server's own zone", post, sites, `{"name":"x","timezone":"Local"}`, nil, 422, invalid, "timezone"},
		{"a zone outside", post, sites, `{"name":"x","timezone":"../../etc/passwd"}`, nil, 422, invalid, "timezone"},
		{"a zone with leap seconds", post, sites, `{"name":"x","timezone":"right/Europe/Berlin"}`, nil, 422, invalid, "timezone"},
		{"half a place", post, sites, `{"name":"x","timezone":"UTC","latitude":1}`, nil, 422, invalid, "longitude"},
		{"the other half", post, sites, `{"name":"x","timezone":"UTC","longitude":1}`, nil, 422, invalid, "latitude"},
		{"site taken", post, sites, `{"id":"home","name":"x","timezone":"UTC"}`, nil, 409, busbar.CodeConflict, ""},
		{"unknown in a site", post, sites, `{"name":"x","timezone":"UTC","city":"Berlin"}`, nil, 422, unknown, "city"},
		{"no site", get, sites + "/none", "", nil, 404, busbar.CodeNotFound, ""},
		{"no site to change", patch, sites + "/none", `{}`, nil, 404, busbar.CodeNotFound, ""},
		{"no site to delete", del, sites + "/none", "", nil, 404, busbar.CodeNotFound, ""},
		{"site id changed", patch, sites + "/home", `{"id":"other"}`, nil, 422, invalid, "id"},
		{"site name taken away", patch, sites + "/home", `{"name":null,"timezone":""}`, nil, 422, invalid, "name timezone"},
		{"half a place in a change", patch, sites + "/home", `{"longitude":1}`, nil, 422, invalid, "latitude"},
		{"site with devices", del, sites + "/home", "", nil, 409, busbar.CodeConflict, ""},

		{"device without all", post, devices, `{}`, nil, 422, invalid, "type siteId driver"},
		{
			"everything wrong with a device", post, devices, `{"id":"a/b","type":"toaster","siteId":"a b","name":"` + long + `","vendor":"\u0000","staleAfter":"0s",
			"driver":{"kind":"manual","url":"hello"},"settings":{"x":{}}}`, nil, 422, invalid, "id type siteId name vendor staleAfter settings.x.value settings.x.unit driver.url",
		},
		{"device taken", post, devices, device(`,"id":"battery"`), nil, 409, busbar.CodeConflict, ""},
		{"no such site", post, devices, `{"type":"battery","siteId":"none","driver":{"kind":"manual"}}`, nil, 422, invalid, "siteId"},
		{"silence without unit", post, devices, device(`,"staleAfter":"15"`), nil, 422, invalid, "staleAfter"},
		{"long silence", post, devices, device(`,"staleAfter":"721h"`), nil, 422, invalid, "staleAfter"},
		{"unknown in a device", post, devices, device(`,"serial":"1"`), nil, 422, unknown, "serial"},

		{"driver without kind", post, devices, driver(``), nil, 422, invalid, "driver.kind"},
		{"driver of no kind", post, devices, driver(`"kind":"mqtt"`), nil, 422, invalid, "driver.kind"},
		{"gateway without URL", post, devices, driver(`"kind":"http"`), nil, 422, invalid, "driver.url"},
		{"gateway inside", post, devices, driver(`"kind":"http","url":"https://10.0.0.1/"`), nil, 422, busbar.CodeEndpointURLForbidden, "driver.url"},
		{"gateway at metadata", post, devices, driver(`"kind":"http","url":"http://169.254.169.254/"`), nil, 422, busbar.CodeEndpointURLForbidden, "driver.url"},
		{"gateway with a short secret", post, devices, driver(`"kind":"http","url":"http://127.0.0.1/","secret":"whsec_AAAA"`), nil, 422, invalid, "driver.secret"},
		{"gateway with a key that is none", post, devices, driver(`"kind":"http","url":"http://127.0.0.1/","secret":"hush"`), nil, 422, invalid, "driver.secret"},
		{"gateway with an API key", post, devices, driver(`"kind":"http","url":"http://127.0.0.1/","apiKey":"x","deviceId":"y"`), nil, 422, invalid, "driver.apiKey driver.deviceId"},
		{"API without all", post, devices, driver(`"kind":"amps"`), nil, 422, invalid, "driver.url driver.apiKey driver.deviceId"},
		{"API with a line break in the key", post, devices, driver(`"kind":"amps","url":"http://127.0.0.1/","apiKey":"x\r\ny","deviceId":"d"`), nil, 422, invalid, "driver.apiKey"},
		{"API inside", post, devices, driver(`"kind":"amps","url":"https://192.168.0.1/","apiKey":"x","deviceId":"d"`), nil, 422, busbar.CodeEndpointURLForbidden, "driver.url"},
		{"simulated with a secret", post, devices, driver(`"kind":"simulator","secret":"x"`), nil, 422, invalid, "driver.secret"},

		{"command of another family", post, devices, device(`,"commands":{"heat":{"execution":["immediate"]}}`), nil, 422, invalid, "commands.heat"},
		{"command with a dot", post, devices, device(`,"commands":{"auto.fast":{"execution":["immediate"]}}`), nil, 422, invalid, `commands["auto.fast"]`},
		{"command at no time", post, devices, device(`,"commands":{"idle":{"execution":[]},"charge":{}}`), nil, 422, invalid, "commands.charge.execution commands.idle.execution"},
		{"command at another time", post, devices, device(`,"commands":{"idle":{"execution":["windowed"]}}`), nil, 422, invalid, "commands.idle.execution"},
		{"parameter of another command", post, devices, device(`,"commands":{"charge":{"execution":["immediate"],"parameters":{"current":{"unit":"amps","min":6,"max":16}}}}`), nil, 422, invalid, "commands.charge.parameters.current"},
		{"half a range", post, devices, device(`,"commands":{"charge":{"execution":["immediate"],"parameters":{"power":{"unit":"kw","min":1}}}}`), nil, 422, invalid, "commands.charge.parameters.power"},
		{"unit of another kind", post, devices, device(`,"commands":{"charge":{"execution":["immediate"],"parameters":{"power":{"unit":"amps","min":1,"max":2}}}}`), nil, 422, invalid, "commands.charge.parameters.power.unit"},
		{"range upside down", post, devices, device(`,"commands":{"charge":{"execution":["immediate"],"parameters":{"power":{"unit":"watts","min":2,"max":1}}}}`), nil, 422, invalid, "commands.charge.parameters.power.min"},
		{"more than all", post, devices, device(`,"commands":{"charge":{"execution":["immediate"],"parameters":{"target":{"unit":"percent","min":0,"max":101}}}}`), nil, 422, invalid, "commands.charge.parameters.target"},
		{"endless", post, devices, device(`,"commands":{"charge":{"execution":["immediate"],"parameters":{"power":{"unit":"kw","min":0,"max":1e10}}}}`), nil, 422, invalid, "commands.charge.parameters.power"},
		{"missing a parameter", post, devices, `{"type":"hvac","siteId":"home","driver":{"kind":"manual"},"commands":{"heat":{"execution":["immediate"]}}}`, nil, 422, invalid, "commands.heat.parameters.target"},
		{"commands of a meter", post, devices, `{"type":"meter","siteId":"home","driver":{"kind":"manual"},"commands":{"idle":{"execution":["immediate"]}}}`, nil, 422, invalid, "commands.idle"},
		{"setting of another family", post, devices, device(`,"settings":{"max_charge_rate":{"value":1,"unit":"kw"}}`), nil, 422, busbar.CodeUnsupportedParameter, "settings.max_charge_rate"},
		{"setting in another unit", post, devices, device(`,"settings":{"discharge_floor":{"value":1,"unit":"kw"}}`), nil, 422, busbar.CodeUnsupportedUnit, "settings.discharge_floor.unit"},
		{"setting out of range", post, devices, device(`,"settings":{"discharge_floor":{"value":101,"unit":"percent"}}`), nil, 422, busbar.CodeParameterOutOfRange, "settings.discharge_floor.value"},

		{"no device", get, devices + "/none", "", nil, 404, none, ""},
		{"no id", get, devices + "/%00", "", nil, 404, none, ""},
		{"no device to change", patch, devices + "/none", `{}`, nil, 404, none, ""},
		{"no device to delete", del, devices + "/none", "", nil, 404, none, ""},
		{"id and type changed", patch, devices + "/battery", `{"id":"b","type":"hvac"}`, nil, 422, invalid, "id type"},
		{"site and driver taken away", patch, devices + "/battery", `{"siteId":null,"driver":null}`, nil, 422, invalid, "siteId driver"},
		{"moved to no site", patch, devices + "/battery", `{"siteId":"none"}`, nil, 422, invalid, "siteId"},
		{"gateway moved inside", patch, devices + "/gateway", `{"driver":{"url":"https://10.0.0.1/"}}`, nil, 422, busbar.CodeEndpointURLForbidden, "driver.url"},
		{"gateway that loses its URL", patch, devices + "/gateway", `{"driver":{"url":null}}`, nil, 422, invalid, "driver.url"},
		{"kind taken away", patch, devices + "/gateway", `{"driver":{"kind":null}}`, nil, 422, invalid, "driver.kind"},
		{"a kind that needs more", patch, devices + "/gateway", `{"driver":{"kind":"amps"}}`, nil, 422, invalid, "driver.url driver.apiKey driver.deviceId"},
		{"a URL for a manual one", patch, devices + "/battery", `{"driver":{"url":"http://127.0.0.1/"}}`, nil, 422, invalid, "driver.url"},
		{"moved with an open action", patch, devices + "/hvac", `{"siteId":"home2"}`, nil, 422, invalid, "siteId"},
		{"deleted with an open action", del, devices + "/hvac", "", nil, 409, busbar.CodeConflict, ""},
		{"list of no family", get, devices + "?type=toaster", "", nil, 422, invalid, "type"},
		{"list by an unknown parameter", get, "/v1/battery?offset=10", "", nil, 422, unknown, "offset"},
		{"expedite what", get, "/v1/battery/battery?expedite=yes", "", nil, 422, invalid, "expedite"},
		{"another family", get, "/v1/hvac/battery", "", nil, 404, none, ""},
		{"no family", get, "/v1/toaster/battery", "", nil, 404, busbar.CodeNotFound, ""},

		{"nothing reported", post, devices + "/battery/state", `{}`, nil, 422, invalid, "state"},
		{"null reported", post, devices + "/battery/state", `{"state":null}`, nil, 422, invalid, "state"},
		{"no object reported", post, devices + "/battery/state", `{"observedAt":"today","state":"full"}`, nil, 422, invalid, "observedAt state"},
		{"unset clock", post, devices + "/battery/state", `{"observedAt":"1970-01-01T00:00:00Z","state":{}}`, nil, 422, invalid, "observedAt"},
		{"unknown field of a state", post, devices + "/battery/state", `{"state":{"soc":1,"level":2}}`, nil, 422, unknown, "state.soc"},
		{"wrong field of a state", post, devices + "/battery/state", `{"state":{"level":-1,"status":"on"}}`, nil, 422, invalid, "state.level state.status"},
		{"unknown beside the state", post, devices + "/battery/state", `{"state":{},"level":1}`, nil, 422, unknown, "level"},
		{"state of nobody", post, devices + "/none/state", `{"state":{}}`, nil, 404, none, ""},
		{"no readings", post, devices + "/state", `{"readings":[]}`, nil, 422, invalid, "readings"},
		{"readings of no kind", post, devices + "/state", `{"readings":{}}`, nil, 422, invalid, "readings"},
		{"too many readings", post, devices + "/state", `{"readings":[` + strings.Repeat("1,", 500) + `1]}`, nil, 422, invalid, "readings"},
		{"bare readings", post, devices + "/state", `[]`, nil, 422, invalid, "body"},

		{"connection of nobody", post, devices + "/none/connection", `{"status":"connected"}`, nil, 404, none, ""},
		{"no connection", post, devices + "/battery/connection", `{}`, nil, 422, invalid, "status"},
		{"half connected", post, devices + "/battery/connection", `{"status":"maybe","reason":"` + strings.Repeat("x", 501) + `","reconnectionUrl":"javascript:x"}`, nil, 422, invalid, "status reason reconnectionUrl"},
		{"connected for a reason", post, devices + "/battery/connection", `{"status":"connected","reason":"x"}`, nil, 422, invalid, "status"},

		{"history of nobody", get, devices + "/none/history?field=level", "", nil, 404, none, ""},
		{"history of nothing", get, devices + "/battery/history", "", nil, 422, invalid, "field"},
		{"history of another family", get, devices + "/battery/history?field=importPower", "", nil, 422, invalid, "field"},
		{"history since when", get, devices + "/battery/history?field=level&since=1", "", nil, 422, invalid, "since"},
		{"history page", get, devices + "/battery/history?field=level&limit=0", "", nil, 422, invalid, "limit"},
		{"hold of nobody", del, devices + "/none/hold", "", nil, 404, none, ""},

		{"no settings", post, "/v1/battery/battery/settings", `{}`, nil, 422, invalid, "body"},
		{"settings of nobody", post, "/v1/battery/none/settings", `{}`, nil, 404, none, ""},
		{"settings of another family", post, "/v1/hvac/battery/settings", `{"x":{"value":1,"unit":"kw"}}`, nil, 404, none, ""},
		{"setting that is none", post, "/v1/battery/battery/settings", `{"colour":{"value":1,"unit":"kw"}}`, nil, 422, busbar.CodeUnsupportedParameter, "colour"},
		{"bare setting", post, "/v1/battery/battery/settings", `{"discharge_floor":10}`, nil, 422, invalid, "discharge_floor"},
		{"setting without unit", post, "/v1/battery/battery/settings", `{"discharge_floor":{"value":10}}`, nil, 422, invalid, "discharge_floor.unit"},
		{"unit of a setting", post, "/v1/battery/battery/settings", `{"discharge_floor":{"value":10,"unit":"kwh"}}`, nil, 422, busbar.CodeUnsupportedUnit, "discharge_floor.unit"},
		{"setting too high", post, "/v1/battery/battery/settings", `{"discharge_floor":{"value":100.1,"unit":"percent"}}`, nil, 422, busbar.CodeParameterOutOfRange, "discharge_floor.value"},

		{"no action", get, "/v1/actions/act_none", "", nil, 404, busbar.CodeNotFound, ""},
		{"action elsewhere", get, "/v1/actions/act_open", "", live, 404, busbar.CodeNotFound, ""},
		{"actions in no state", get, "/v1/actions?state=lost", "", nil, 422, invalid, "state"},

		{"fault of nobody", post, "/v1/simulator/none/faults", `{"kind":"offline"}`, nil, 404, none, ""},
		{"fault of a real one", post, "/v1/simulator/battery/faults", `{"kind":"offline"}`, nil, 422, invalid, "deviceId"},
		{"fault in live", post, "/v1/simulator/sim/faults", `{"kind":"offline"}`, live, 422, invalid, "deviceId"},
		{"no fault", post, "/v1/simulator/sim/faults", `{}`, nil, 422, invalid, "kind"},
		{"everything wrong with a fault", post, "/v1/simulator/sim/faults", `{"kind":"rude","for":"25h","delay":"-1s"}`, nil, 422, invalid, "kind for delay"},
		{"a delay of another", post, "/v1/simulator/sim/faults", `{"kind":"refuse","delay":"1s"}`, nil, 422, invalid, "delay"},
		{"faults cleared of nobody", del, "/v1/simulator/none/faults", "", nil, 404, none, ""},
	} {
		got := a.refuses(tc)
		about := strings.Contains(tc.path, "/settings") || strings.Contains(tc.name, "setting")
		if about && tc.status == http.StatusUnprocessableEntity && tc.name != "everything wrong with a device" && !strings.Contains(got.Body, `"deviceCapabilities":{`) {
			t.Errorf("%s: the answer does not tell what the device can do: %s", tc.name, got.Body)
		}
	}
	if diff := cmp.Diff(before, a.state()); diff != "" {
		t.Errorf("refused requests changed something:\n%s", diff)
	}
}
