package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"busbar"
)

// actionRow is a row of actions.
type actionRow struct {
	ID             string `gorm:"column:id;primaryKey"`
	Environment    string `gorm:"column:environment"`
	DeviceID       string `gorm:"column:device_id"`
	Family         string `gorm:"column:family"`
	SiteID         string `gorm:"column:site_id"`
	Command        string `gorm:"column:command"`
	Parameters     string `gorm:"column:parameters"`
	State          string `gorm:"column:state"`
	Slot           string `gorm:"column:slot"`
	StartAt        int64  `gorm:"column:start_at"`
	EndAt          int64  `gorm:"column:end_at"`
	ExpiresIn      int64  `gorm:"column:expires_in"`
	ExpiresAt      int64  `gorm:"column:expires_at"`
	HoldFor        int64  `gorm:"column:hold_for"`
	Phase          string `gorm:"column:phase"`
	Before         string `gorm:"column:instruction_before"`
	Tries          int    `gorm:"column:tries"`
	Remote         string `gorm:"column:remote"`
	Result         string `gorm:"column:result"`
	ErrorCode      string `gorm:"column:error_code"`
	ErrorMessage   string `gorm:"column:error_message"`
	CancelReason   string `gorm:"column:cancel_reason"`
	Replaces       string `gorm:"column:replaces"`
	ReplacedBy     string `gorm:"column:replaced_by"`
	RuleID         string `gorm:"column:rule_id"`
	RunID          string `gorm:"column:run_id"`
	RunStep        string `gorm:"column:run_step"`
	Priority       int    `gorm:"column:priority"`
	FiringSeq      int64  `gorm:"column:firing_seq"`
	Causation      string `gorm:"column:causation"`
	CreatedAt      int64  `gorm:"column:created_at"`
	UpdatedAt      int64  `gorm:"column:updated_at;autoUpdateTime:false"`
	AcknowledgedAt int64  `gorm:"column:acknowledged_at"`
	AcceptedAt     int64  `gorm:"column:accepted_at"`
	CompletedAt    int64  `gorm:"column:completed_at"`
}

// TableName names the table for gorm.
func (actionRow) TableName() string { return "actions" }

func (r *actionRow) position() position { return position{r.CreatedAt, r.ID} }

func newActionRow(a *busbar.Action) (actionRow, error) {
	row := actionRow{
		ID: string(a.ID), Environment: string(a.Environment), DeviceID: string(a.DeviceID), Family: string(a.Family), SiteID: string(a.SiteID),
		Command: a.Command, State: string(a.State), Slot: string(a.Slot), StartAt: micros(a.Start), EndAt: micros(a.End),
		ExpiresIn: a.ExpiresIn.Microseconds(), ExpiresAt: micros(a.ExpiresAt), HoldFor: a.HoldFor.Microseconds(),
		Phase: string(a.Phase), Tries: a.Tries, Remote: a.Remote, ErrorCode: a.ErrorCode, ErrorMessage: a.ErrorMessage,
		CancelReason: string(a.CancelReason), Replaces: string(a.Replaces), ReplacedBy: string(a.ReplacedBy),
		RuleID: a.RuleID, RunID: a.RunID, RunStep: a.RunStep, Priority: a.Priority, FiringSeq: a.FiringSeq, CreatedAt: micros(a.CreatedAt), UpdatedAt: micros(a.UpdatedAt),
		AcknowledgedAt: micros(a.AcknowledgedAt), AcceptedAt: micros(a.AcceptedAt), CompletedAt: micros(a.CompletedAt),
	}
	var errs [4]error
	row.Parameters, errs[0] = marshalText(a.Parameters)
	row.Causation, errs[1] = marshalText(a.Causation)
	if a.Before != nil {
		row.Before, errs[2] = marshalText(a.Before)
	}
	if a.Result != nil {
		row.Result, errs[3] = marshalText(a.Result)
	}
	return row, errors.Join(errs[:]...)
}

func (r *actionRow) action() (busbar.Action, error) {
	a := busbar.Action{
		ID: busbar.ActionID(r.ID), Environment: busbar.Environment(r.Environment), DeviceID: busbar.DeviceID(r.DeviceID),
		Family: busbar.Family(r.Family), SiteID: busbar.SiteID(r.SiteID), Command: r.Command, State: busbar.ActionState(r.State),
		Slot: busbar.Slot(r.Slot), Start: fromMicros(r.StartAt), End: fromMicros(r.EndAt),
		ExpiresIn: time.Duration(r.ExpiresIn) * time.Microsecond, ExpiresAt: fromMicros(r.ExpiresAt),
		HoldFor: time.Duration(r.HoldFor) * time.Microsecond, Phase: busbar.Phase(r.Phase), Tries: r.Tries, Remote: r.Remote,
		ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage, CancelReason: busbar.CancelReason(r.CancelReason),
		Replaces: busbar.ActionID(r.Replaces), ReplacedBy: busbar.ActionID(r.ReplacedBy), RuleID: r.RuleID, RunID: r.RunID,
		RunStep: r.RunStep, Priority: r.Priority, FiringSeq: r.FiringSeq,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt), AcknowledgedAt: fromMicros(r.AcknowledgedAt),
		AcceptedAt: fromMicros(r.AcceptedAt), CompletedAt: fromMicros(r.CompletedAt),
	}
	err := errors.Join(json.Unmarshal([]byte(r.Parameters), &a.Parameters), json.Unmarshal([]byte(r.Causation), &a.Causation))
	if r.Before != "" {
		err = errors.Join(err, json.Unmarshal([]byte(r.Before), &a.Before))
	}
	if r.Result != "" {
		err = errors.Join(err, json.Unmarshal([]byte(r.Result), &a.Result))
	}
	if err != nil {
		return a, fmt.Errorf("read action %s: %w", r.ID, err)
	}
	return a, nil
}

// tryRow is a row of action_tries.
type tryRow struct {
	ActionID  string `gorm:"column:action_id;primaryKey"`
	Number    int    `gorm:"column:number;primaryKey"`
	Phase     string `gorm:"column:phase"`
	At        int64  `gorm:"column:at"`
	Duration  int64  `gorm:"column:duration"`
	Outcome   string `gorm:"column:outcome"`
	ErrorCode string `gorm:"column:error_code"`
	Message   string `gorm:"column:message"`
	NextTryAt int64  `gorm:"column:next_try_at"`
}

// TableName names the table for gorm.
func (tryRow) TableName() string { return "action_tries" }

func newTryRow(t *busbar.Try) tryRow {
	return tryRow{
		ActionID: string(t.ActionID), Number: t.Number, Phase: string(t.Phase), At: micros(t.At), Duration: t.Duration.Microseconds(),
		Outcome: string(t.Outcome), ErrorCode: t.ErrorCode, Message: t.Message, NextTryAt: micros(t.NextTryAt),
	}
}

func (r *tryRow) try() busbar.Try {
	return busbar.Try{
		ActionID: busbar.ActionID(r.ActionID), Number: r.Number, Phase: busbar.Phase(r.Phase), At: fromMicros(r.At),
		Duration: time.Duration(r.Duration) * time.Microsecond, Outcome: busbar.TryOutcome(r.Outcome), ErrorCode: r.ErrorCode,
		Message: r.Message, NextTryAt: fromMicros(r.NextTryAt),
	}
}
