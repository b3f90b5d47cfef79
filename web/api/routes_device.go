package api

import (
	"fmt"
	"net/http"
	"slices"

	"busbar"
)

func deviceRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/devices", Group: groupDevices, Summary: "Create a device at a site",
			Scopes: writeDevices(), Body: DeviceBody{}, Creates: true, Answer: Device{}, Status: http.StatusCreated,
			Codes:   with(settingCodes(), busbar.CodeEndpointURLForbidden, busbar.CodeConflict),
			Example: `{"type":"battery","siteId":"site_home","name":"Cellar","vendor":"Acme","driver":{"kind":"manual"}}`,
			Handle:  once((*API).createDevice),
		},
		{
			Method: http.MethodGet, Path: "/v1/devices", Group: groupDevices, Summary: "List devices, newest first", Scopes: readDevices(),
			Query:  slices.Concat([]Param{{"type", "A family.", "battery"}}, ownership(), paging()),
			Answer: List[Device]{}, Status: http.StatusOK, Handle: (*API).listDevices,
		},
		{
			Method: http.MethodGet, Path: "/v1/devices/{id}", Group: groupDevices, Summary: "One device", Scopes: readDevices(),
			Answer: Device{}, Status: http.StatusOK, Codes: noDeviceCodes(), Handle: (*API).getDevice,
		},
		{
			Method: http.MethodPatch, Path: "/v1/devices/{id}", Group: groupDevices, Summary: "Change a device; absent fields stay, null goes back to the default",
			Scopes: writeDevices(), Body: DeviceBody{}, Answer: Device{}, Status: http.StatusOK,
			Codes:   with(settingCodes(), busbar.CodeEndpointURLForbidden, busbar.CodeConflict, busbar.CodeDeviceNotFound),
			Example: `{"name":"In the cellar","staleAfter":"5m"}`, Handle: (*API).updateDevice,
		},
		{
			Method: http.MethodDelete, Path: "/v1/devices/{id}", Group: groupDevices, Summary: "Delete a device that has no open action, with its history",
			Scopes: writeDevices(), Answer: Deleted{}, Status: http.StatusOK, Codes: with(noDeviceCodes(), busbar.CodeConflict), Handle: (*API).deleteDevice,
		},
		{
			Method: http.MethodGet, Path: "/v1/devices/{id}/history", Group: groupDevices, Summary: "What a device reported of a field, newest first",
			Scopes: readDevices(), Query: slices.Concat([]Param{{"field", "Required: a field of its family.", "level"}}, period(), paging()),
			Answer: List[HistoryPoint]{}, Status: http.StatusOK, Codes: noDeviceCodes(), Handle: (*API).getHistory,
		},
		{
			Method: http.MethodDelete, Path: "/v1/devices/{id}/hold", Group: groupDevices, Summary: "End a person's hold: rules may act on the device again",
			Scopes: []busbar.Scope{busbar.ScopeDevices, busbar.ScopeActions}, Answer: Hold{}, Status: http.StatusOK, Codes: noDeviceCodes(), Handle: (*API).deleteHold,
		},
		{
			Method: http.MethodGet, Path: "/v1/families", Group: groupDevices, Summary: "What each family reports, understands and keeps", Scopes: readDevicesOrActions(),
			Answer: List[Family]{}, Status: http.StatusOK, Handle: (*API).listFamilies,
		},
	}
}

func telemetryRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/devices/{id}/state", Group: groupTelemetry, Summary: "Take what a device reports",
			Scopes: writeDevices(), Body: StateBody{}, Answer: TakenReading{}, Status: http.StatusAccepted,
			Codes: with(bodyCodes(), busbar.CodeDeviceNotFound), Example: `{"state":{"level":97.5,"status":"charging"}}`, Handle: (*API).createState,
		},
		{
			Method: http.MethodPost, Path: "/v1/devices/state", Group: groupTelemetry, Summary: "Take what 1 to 500 devices report; each has an answer of its own",
			Scopes: writeDevices(), Body: ReadingsBody{}, Answer: []TakenItem{}, Status: http.StatusAccepted, Codes: bodyCodes(),
			Example: `{"readings":[{"deviceId":"dev_battery","state":{"level":97.5}}]}`, Handle: (*API).createStates,
		},
		{
			Method: http.MethodPost, Path: "/v1/devices/{id}/connection", Group: groupTelemetry, Summary: "Say whether a device can be reached; only a change is an event",
			Scopes: writeDevices(), Body: ConnectionBody{}, Answer: TakenConnection{}, Status: http.StatusAccepted,
			Codes: with(bodyCodes(), busbar.CodeDeviceNotFound), Example: `{"status":"connected"}`, Handle: (*API).createConnection,
		},
	}
}

// familyRoutes are the same for each family.
func familyRoutes() []Route {
	var routes []Route
	for _, f := range busbar.Families() {
		settings := "Change some settings of a device"
		if settingsExample(f) == "" {
			settings = "Refused: devices of this family have no settings"
		}
		path, group := "/v1/"+f.Segment(), groupFamily+f.Segment()
		expedite := Param{"expedite", "true or false; taken from clients that ask other APIs for a fresh state. It is always the newest.", ""}
		routes = append(
			routes,
			Route{
				Method: http.MethodGet, Path: path, Group: group, Summary: "List devices of the family, newest first", Scopes: readDevicesOrActions(),
				Query:  slices.Concat([]Param{expedite}, ownership(), paging()),
				Answer: List[DeviceRead]{}, Status: http.StatusOK, Handle: ofFamily(f, (*API).listDevicesOfFamily),
			},
			Route{
				Method: http.MethodGet, Path: path + "/{id}", Group: group, Summary: "What a device is, does and can do", Scopes: readDevicesOrActions(),
				Query: []Param{expedite}, Answer: DeviceRead{}, Status: http.StatusOK, Codes: noDeviceCodes(), Handle: ofFamily(f, (*API).getDeviceOfFamily),
			},
			pushRoute(f, path, group),
			Route{
				Method: http.MethodPost, Path: path + "/{id}/settings", Group: group, Summary: settings,
				Scopes: writeDevicesOrActions(), Body: SettingsBody{}, Answer: UpdatedSettings{}, Status: http.StatusOK,
				Codes: with(settingCodes(), busbar.CodeDeviceNotFound), Example: settingsExample(f), Handle: ofFamily(f, (*API).updateSettings),
			},
		)
	}
	return routes
}

// settingsExample is the first setting of a family, at its highest; empty for families without settings.
func settingsExample(f busbar.Family) string {
	settings := f.Spec().Settings
	if len(settings) == 0 {
		return ""
	}
	return fmt.Sprintf(`{%q:{"value":%v,"unit":%q}}`, settings[0].Name, settings[0].Range.Max, settings[0].Range.Unit)
}

func faultRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/simulator/{id}/faults", Group: groupSimulator, Summary: "Have a simulated device misbehave for a while",
			Scopes: writeDevices(), Body: FaultBody{}, Answer: Fault{}, Status: http.StatusOK, Codes: with(bodyCodes(), busbar.CodeDeviceNotFound),
			Example: `{"kind":"offline","for":"5m"}`, Handle: (*API).setFault,
		},
		{
			Method: http.MethodGet, Path: "/v1/simulator/faults", Group: groupSimulator, Summary: "List the faults in force, newest first", Scopes: readDevices(),
			Query:  slices.Concat([]Param{{"deviceId", "", "sim_battery"}}, paging()),
			Answer: List[Fault]{}, Status: http.StatusOK, Handle: (*API).listFaults,
		},
		{
			Method: http.MethodDelete, Path: "/v1/simulator/{id}/faults", Group: groupSimulator, Summary: "Have a simulated device behave again",
			Scopes: writeDevices(), Answer: Deleted{}, Status: http.StatusOK, Codes: noDeviceCodes(), Handle: (*API).clearFaults,
		},
	}
}

func ownership() []Param {
	return []Param{{"siteId", "", "site_home"}, {"userId", "", "user_42"}}
}

func readDevices() []busbar.Scope { return []busbar.Scope{busbar.ScopeRead, busbar.ScopeDevices} }

func writeDevices() []busbar.Scope { return []busbar.Scope{busbar.ScopeDevices} }

// readDevicesOrActions is for what whoever pushes has to know.
func readDevicesOrActions() []busbar.Scope {
	return []busbar.Scope{busbar.ScopeRead, busbar.ScopeDevices, busbar.ScopeActions}
}

func writeDevicesOrActions() []busbar.Scope {
	return []busbar.Scope{busbar.ScopeDevices, busbar.ScopeActions}
}

func noDeviceCodes() []busbar.Code { return []busbar.Code{busbar.CodeDeviceNotFound} }

// settingCodes are what settings may be refused with.
func settingCodes() []busbar.Code {
	return with(bodyCodes(), busbar.CodeUnsupportedParameter, busbar.CodeUnsupportedUnit, busbar.CodeParameterOutOfRange)
}
