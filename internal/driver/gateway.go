package driver

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/webhook"
)

// gateway drives devices behind a program of their owner's: each command is posted to it, signed as a webhook is.
type gateway struct {
	sender  Sender
	timeout time.Duration
}

var _ Driver = gateway{}

// command is the body that a gateway gets.
type command struct {
	ActionID   busbar.ActionID            `json:"actionId"`
	DeviceID   busbar.DeviceID            `json:"deviceId"`
	DeviceType busbar.Family              `json:"deviceType"`
	Command    string                     `json:"command"`
	Parameters map[string]busbar.Quantity `json:"parameters"`
}

const (
	headerIdempotencyKey = "Idempotency-Key"
	// maxGatewayAnswer is far more than an answer needs.
	maxGatewayAnswer = 16 << 10
)

// Push posts the command once.
func (g gateway) Push(ctx context.Context, r Request) (Outcome, error) {
	body, err := json.Marshal(command{
		r.ActionID, r.Device.ID, r.Device.Family, r.Instruction.Command, parametersOf(r.Instruction),
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("encode command: %w", err)
	}
	req := webhook.Request{
		URL: r.Device.Driver.URL, Header: http.Header{headerIdempotencyKey: {r.IdempotencyKey}},
		MessageID: r.IdempotencyKey, Unsigned: r.Device.Driver.Secret == "", Body: body, MaxBody: maxGatewayAnswer,
		Timeout: g.timeout, AllowHTTP: r.Environment == busbar.Sandbox, Environment: string(r.Environment), Attempt: r.Try,
		// The key would have the transport send again by itself, which no try would show.
		NoReplay: true,
	}
	if !req.Unsigned {
		key, err := webhook.ParseKey(r.Device.Driver.Secret)
		if err != nil {
			return Refused(CodeMisconfigured, "the driver's secret cannot be used: "+err.Error()), nil //nolint:nilerr // it will not get better: a refusal
		}
		req.Keys = []webhook.Key{key}
	}
	return gatewayAnswer(g.sender.Send(ctx, req))
}

// parametersOf is never nil, so that gateways always find an object.
func parametersOf(i busbar.Instruction) map[string]busbar.Quantity {
	if i.Parameters == nil {
		return map[string]busbar.Quantity{}
	}
	return i.Parameters
}

// verdict is what a gateway answers.
type verdict struct {
	Success   *bool  `json:"success"`
	Message   string `json:"message"`
	ErrorCode string `json:"errorCode"`
}

// gatewayAnswer reads an answer. What was answered in full is final unless its status says "not now"; what was not is
// tried again, since the gateway knows a repeat by its key.
func gatewayAnswer(result webhook.Result) (Outcome, error) {
	if !answered(result) {
		return outcomeOf(noAnswer(result))
	}
	said, readable := readVerdict(result)
	refused := readable && !*said.Success
	switch status := result.StatusCode; {
	case status == http.StatusAccepted:
		return Pending(""), nil
	case status == http.StatusOK && readable, status >= 400 && refused && !passing(status):
		return said.outcome(), nil
	case status == http.StatusOK:
		return Refused(CodeGatewayError, `the gateway answered 200 with something else than {"success": …}`), nil
	case passing(status), status == http.StatusConflict:
		// 409 without a verdict says that a request with this key is still at work, as the IETF's draft of the header has it.
		e := statusError("gateway", result)
		if refused {
			e.Code, e.Message = cmp.Or(said.code(), e.Code), cmp.Or(said.message(), e.Message)
		}
		return Outcome{}, e
	default:
		return Refused(CodeGatewayError, fmt.Sprintf("the gateway answered %d; 200 or 202 was expected", status)), nil
	}
}

func readVerdict(result webhook.Result) (v verdict, ok bool) {
	if result.Truncated {
		return verdict{}, false
	}
	err := json.Unmarshal([]byte(result.ResponseBody), &v)
	return v, err == nil && v.Success != nil
}

func (v verdict) outcome() Outcome {
	if *v.Success {
		return Accepted(v.message())
	}
	return Refused(cmp.Or(v.code(), CodeDeviceRefused), cmp.Or(v.message(), "the gateway refused without saying why"))
}

func (v verdict) code() string    { return clip(v.ErrorCode, maxCode) }
func (v verdict) message() string { return clip(v.Message, maxMessage) }
