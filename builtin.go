package busbar

import (
	"encoding/json"
	"strings"
)

// The built-in event types.
const (
	TypePushCompleted      = "push.completed"
	TypePushFailed         = "push.failed"
	TypePushCancelled      = "push.cancelled"
	TypeDeviceConnected    = "device.connected"
	TypeDeviceDisconnected = "device.disconnected"
	TypeDeviceReconnected  = "device.reconnected"
	TypeDeviceUpdated      = "device.updated"
	TypeEndpointFailing    = "endpoint.failing"
	TypeEndpointDisabled   = "endpoint.disabled"
	TypeEndpointRecovered  = "endpoint.recovered"
	TypeDeliveryExhausted  = "delivery.exhausted"
	TypeRuleFailed         = "rule.failed"
	TypeRulePaused         = "rule.paused"
	// TypeTest is the type of a test send without a type.
	TypeTest = "webhook.test"
)

// BuiltInTypes lists the event types that every environment has, in the order in which people read them.
func BuiltInTypes() []EventType {
	push := []string{
		`"actionId":{"type":"string"}`, deviceID, deviceType, `"command":{"type":"string"}`,
		`"parameters":{"type":["object","null"]}`,
	}
	result := `"result":{"type":"object","properties":{"success":{"type":"boolean"},"message":{"type":"string"}},"required":["success"]}`
	endpoint := []string{
		`"endpointId":{"type":"string"}`, `"url":{"type":"string"}`, at("since"),
		`"failures":{"type":"integer","minimum":0}`, `"reason":{"type":"string"}`,
	}
	rule := []string{
		`"ruleId":{"type":"string"}`, `"version":{"type":"integer","minimum":1}`, `"runId":{"type":"string"}`,
		`"reason":{"type":"string"}`,
	}
	const (
		pushed  = `"actionId":"act_1","deviceId":"dev_charger","deviceType":"ev_charger","command":"charge","parameters":{"current":{"value":16,"unit":"amps"}}`
		device  = `"deviceId":"dev_battery","deviceType":"battery","timestamp":"2026-06-01T10:30:00.000Z"`
		failing = `"endpointId":"ep_1","url":"https://example.com/hook","since":"2026-06-01T10:30:00.000Z"`
	)
	return []EventType{
		builtIn(TypePushCompleted, "A command was carried out.", []string{"actionId", "deviceId", "command", "result"},
			`{`+pushed+`,"result":{"success":true,"message":"Charging at 16 A"},"completedAt":"2026-06-01T10:30:05.000Z"}`,
			append(push, result, at("completedAt"))...),
		builtIn(TypePushFailed, "A command was refused, or could not be carried out in time.",
			[]string{"actionId", "deviceId", "command", "result", "errorCode"},
			`{`+pushed+`,"result":{"success":false,"message":"The charger is offline"},"errorCode":"DEVICE_OFFLINE","errorMessage":"The charger is offline","completedAt":"2026-06-01T10:40:00.000Z"}`,
			append(push, result, `"errorCode":{"type":"string"}`, `"errorMessage":{"type":"string"}`, at("completedAt"))...),
		builtIn(TypePushCancelled, "A command was taken back before it was carried out.",
			[]string{"actionId", "deviceId", "command", "reason"},
			`{`+pushed+`,"reason":"replaced","cancelledAt":"2026-06-01T10:30:02.000Z"}`,
			append(push, `"reason":{"enum":["requested","replaced","rule_paused"]}`, at("cancelledAt"))...),
		builtIn(TypeDeviceConnected, "A device reported for the first time.", nil,
			`{`+device+`}`, deviceID, deviceType, at("timestamp")),
		builtIn(TypeDeviceDisconnected, "A device can no longer be reached.", nil,
			`{`+device+`,"reason":"credentials_expired","reconnectionUrl":"https://example.com/reconnect"}`,
			deviceID, deviceType, at("timestamp"), `"reason":{"type":"string"}`, `"reconnectionUrl":{"type":"string"}`),
		builtIn(TypeDeviceReconnected, "A device is back.", nil,
			`{`+device+`}`, deviceID, deviceType, at("timestamp")),
		builtIn(TypeDeviceUpdated, "A value that a device reports has changed.", []string{"state"},
			`{`+device+`,"changed":["level","status"],"state":{"level":100,"status":"idle"},"previous":{"level":99.5,"status":"charging"}}`,
			deviceID, deviceType, at("timestamp"), `"changed":{"type":"array","items":{"type":"string"}}`,
			`"state":{"type":"object"}`, `"previous":{"type":"object"}`),
		builtIn(TypeEndpointFailing, "Deliveries to an endpoint are failing for good.", []string{"endpointId"},
			`{`+failing+`,"failures":10,"reason":"HTTP 500"}`, endpoint...),
		builtIn(TypeEndpointDisabled, "An endpoint gets no more deliveries until it is enabled again.", []string{"endpointId"},
			`{`+failing+`,"failures":1,"reason":"the endpoint answered 410 Gone"}`, endpoint...),
		builtIn(TypeEndpointRecovered, "An endpoint that was failing takes deliveries again.", []string{"endpointId"},
			`{`+failing+`,"failures":0,"reason":"HTTP 200"}`, endpoint...),
		builtIn(TypeDeliveryExhausted, "A delivery has used up its retry schedule.", []string{"deliveryId", "endpointId", "eventId"},
			`{"deliveryId":"dlv_1","endpointId":"ep_1","eventId":"evt_1","attempts":10,"lastStatusCode":500}`,
			`"deliveryId":{"type":"string"}`, `"endpointId":{"type":"string"}`, `"eventId":{"type":"string"}`,
			`"attempts":{"type":"integer","minimum":0}`, `"lastStatusCode":{"type":"integer"}`),
		builtIn(TypeRuleFailed, "A step of a rule failed for good.", []string{"ruleId"},
			`{"ruleId":"rule_1","version":3,"runId":"run_1","reason":"push to dev_charger: DEVICE_OFFLINE"}`, rule...),
		builtIn(TypeRulePaused, "A rule was paused because it kept triggering itself.", []string{"ruleId"},
			`{"ruleId":"rule_1","version":3,"reason":"three firings were cut at depth 8 within 10 minutes"}`, rule...),
		builtIn(TypeTest, "A test send, to see that an endpoint works.", nil,
			`{"message":"Hello from Busbar. This is a test."}`, `"message":{"type":"string"}`),
	}
}

// LookUpBuiltIn finds a built-in type by its name.
func LookUpBuiltIn(name string) (EventType, bool) {
	for _, t := range BuiltInTypes() {
		if t.Name == name {
			return t, true
		}
	}
	return EventType{}, false
}

const (
	deviceID   = `"deviceId":{"type":"string"}`
	deviceType = `"deviceType":{"enum":["battery","ev_charger","hvac","solar_inverter","vehicle","meter"]}`
)

// at is a property that holds a time.
func at(name string) string { return `"` + name + `":{"type":"string","format":"date-time"}` }

// builtIn puts a JSON Schema together. Further properties are allowed: producers may say more than Busbar reads.
func builtIn(name, description string, required []string, example string, properties ...string) EventType {
	schema := `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{`
	schema += strings.Join(properties, ",") + "}"
	if len(required) > 0 {
		names, err := json.Marshal(required)
		if err != nil {
			panic(err) // a list of strings always marshals
		}
		schema += `,"required":` + string(names)
	}
	return EventType{
		Name: name, Description: description, BuiltIn: true,
		Schema: json.RawMessage(schema + "}"), Example: json.RawMessage(example),
	}
}
