package api

import (
	"context"
	"net/http"
	"regexp"

	"busbar"
	"busbar/internal/intake"
	"busbar/web/strictjson"
)

// ResultBody is what a gateway says of a command that it took.
type ResultBody struct {
	Success   strictjson.Optional[bool]   `json:"success" required:"true"`
	Message   strictjson.Optional[string] `json:"message" doc:"For people." example:"Charging at 16 A"`
	Key       strictjson.Optional[string] `json:"key" doc:"The key under which the command was sent, when it must not be taken for the result of another part: of a window, the way back." example:"act_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	ErrorCode strictjson.Optional[string] `json:"errorCode" doc:"Of a failure: why, as DEVICE_OFFLINE; [A-Za-z0-9_.-]{1,64}." example:"DEVICE_OFFLINE"`
}

func (a *API) cancelAction(ctx context.Context, r *Request) (*Reply, error) {
	if _, err := decode[Nothing](r); err != nil {
		return nil, err
	}
	id, err := r.id("action")
	if err != nil {
		return nil, err
	}
	act, err := a.Commands.CancelAction(ctx, r.Env, busbar.ActionID(id))
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, a.viewAction(&act)}, nil
}

func (a *API) reportResult(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("action")
	if err != nil {
		return nil, err
	}
	body, err := decode[ResultBody](r)
	if err != nil {
		return nil, err
	}
	if err := body.check(); err != nil {
		return nil, err
	}
	report := intake.ResultReport{Success: body.Success.Value, Message: body.Message.Value, ErrorCode: body.ErrorCode.Value, Key: body.Key.Value}
	act, err := a.Commands.ReportResult(ctx, r.Env, busbar.ActionID(id), report)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, a.viewAction(&act)}, nil
}

var errorCode = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (b *ResultBody) check() error {
	var p problems
	if !b.Success.Has() {
		p.add("success", "required", "is missing")
	}
	p.text("message", b.Message.Value, maxDescription)
	switch {
	case !b.ErrorCode.Has():
	case b.Success.Value:
		p.add("errorCode", "conflict", "is for failures only")
	case !errorCode.MatchString(b.ErrorCode.Value):
		p.add("errorCode", "format", "must be 1 to 64 of A-Z, a-z, 0-9, _, . and -")
	}
	return p.err()
}
