package store

import (
	"encoding/json"
	"fmt"
	"time"

	"busbar"
	"busbar/rules"
)

// ruleRow is a row of rules.
type ruleRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	ID          string `gorm:"column:id;primaryKey"`
	Name        string `gorm:"column:name"`
	Mode        string `gorm:"column:mode"`
	Version     int    `gorm:"column:version"`
	Windowed    bool   `gorm:"column:windowed"`
	PausedAt    int64  `gorm:"column:paused_at"`
	PauseReason string `gorm:"column:pause_reason"`
	// Strikes are JSON.
	Strikes   string `gorm:"column:strikes"`
	FiredAt   int64  `gorm:"column:fired_at"`
	CreatedAt int64  `gorm:"column:created_at"`
	UpdatedAt int64  `gorm:"column:updated_at;autoUpdateTime:false"`
}

// TableName names the table for gorm.
func (ruleRow) TableName() string { return "rules" }

func (r *ruleRow) position() position { return position{r.CreatedAt, r.ID} }

// rule gives the rule without its text, which stands with the version.
func (r *ruleRow) rule() busbar.Rule {
	return busbar.Rule{
		ID: busbar.RuleID(r.ID), Environment: busbar.Environment(r.Environment), Name: r.Name, Mode: r.Mode, Version: r.Version,
		Windowed: r.Windowed, PausedAt: fromMicros(r.PausedAt), PauseReason: r.PauseReason, FiredAt: fromMicros(r.FiredAt),
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

// ruleVersionRow is a row of rule_versions.
type ruleVersionRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	RuleID      string `gorm:"column:rule_id;primaryKey"`
	Number      int    `gorm:"column:number;primaryKey"`
	Text        string `gorm:"column:text"`
	Source      string `gorm:"column:source"`
	Restored    int    `gorm:"column:restored"`
	CreatedAt   int64  `gorm:"column:created_at"`
}

// TableName names the table for gorm.
func (ruleVersionRow) TableName() string { return "rule_versions" }

func (r *ruleVersionRow) version() (busbar.RuleVersion, error) {
	return busbar.RuleVersion{
		RuleID: busbar.RuleID(r.RuleID), Number: r.Number, Text: json.RawMessage(r.Text), Source: r.Source, Restored: r.Restored,
		CreatedAt: fromMicros(r.CreatedAt),
	}, nil
}

// ruleKeyRow is a row of rule_keys.
type ruleKeyRow struct {
	Environment      string `gorm:"column:environment;primaryKey"`
	Key              string `gorm:"column:key;primaryKey"`
	RuleID           string `gorm:"column:rule_id;primaryKey"`
	Shadow           bool   `gorm:"column:shadow;primaryKey"`
	Version          int    `gorm:"column:version"`
	Spent            bool   `gorm:"column:spent"`
	Number           int64  `gorm:"column:number"`
	FiredAt          int64  `gorm:"column:fired_at"`
	HoldID           string `gorm:"column:hold_id"`
	HoldVersion      int    `gorm:"column:hold_version"`
	HoldEventID      string `gorm:"column:hold_event_id"`
	HoldSince        int64  `gorm:"column:hold_since"`
	HoldDue          int64  `gorm:"column:hold_due"`
	HoldUnknownSince int64  `gorm:"column:hold_unknown_since"`
}

// TableName names the table for gorm.
func (ruleKeyRow) TableName() string { return "rule_keys" }

func newRuleKeyRow(k *RuleKey) ruleKeyRow {
	row := ruleKeyRow{
		Environment: string(k.Environment), Key: k.Key, RuleID: string(k.RuleID), Shadow: k.Shadow,
		Version: k.Edge.Version, Spent: k.Edge.Spent, Number: k.Edge.Number, FiredAt: micros(k.Edge.FiredAt),
	}
	if h := k.Edge.Hold; h != nil {
		row.HoldID, row.HoldVersion, row.HoldEventID = h.ID, h.Version, string(h.EventID)
		row.HoldSince, row.HoldDue, row.HoldUnknownSince = micros(h.Since), micros(h.Due), micros(h.UnknownSince)
	}
	return row
}

func (r *ruleKeyRow) ref() RuleKeyRef {
	return RuleKeyRef{busbar.Environment(r.Environment), r.Key, busbar.RuleID(r.RuleID), r.Shadow}
}

func (r *ruleKeyRow) edge() rules.EdgeState {
	e := rules.EdgeState{Version: r.Version, Spent: r.Spent, Number: r.Number, FiredAt: fromMicros(r.FiredAt)}
	if r.HoldID != "" {
		e.Hold = &rules.Hold{
			ID: r.HoldID, Version: r.HoldVersion, EventID: busbar.EventID(r.HoldEventID),
			Since: fromMicros(r.HoldSince), Due: fromMicros(r.HoldDue), UnknownSince: fromMicros(r.HoldUnknownSince),
		}
	}
	return e
}

// runRow is a row of runs.
type runRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	ID          string `gorm:"column:id;primaryKey"`
	RuleID      string `gorm:"column:rule_id"`
	Version     int    `gorm:"column:version"`
	Shadow      bool   `gorm:"column:shadow"`
	Key         string `gorm:"column:key"`
	Trigger     string `gorm:"column:trigger_by"`
	EventID     string `gorm:"column:event_id"`
	RootID      string `gorm:"column:root_id"`
	SiteID      string `gorm:"column:site_id"`
	Decision    string `gorm:"column:decision"`
	DecidedAt   int64  `gorm:"column:decided_at"`
	Lateness    int64  `gorm:"column:lateness"`
	HoldID      string `gorm:"column:hold_id"`
	Number      int64  `gorm:"column:number"`
	Seq         int64  `gorm:"column:seq"`
	Status      string `gorm:"column:status"`
	Detail      string `gorm:"column:detail"`
	Steps       string `gorm:"column:steps"`
	EndedAt     int64  `gorm:"column:ended_at"`
}

// TableName names the table for gorm.
func (runRow) TableName() string { return "runs" }

func (r *runRow) position() position { return position{r.DecidedAt, r.ID} }

func newRunRow(r *busbar.Run) (runRow, error) {
	row := runRow{
		Environment: string(r.Environment), ID: string(r.ID), RuleID: string(r.RuleID), Version: r.RuleVersion, Shadow: r.Shadow,
		Key: r.Key, Trigger: r.Trigger, EventID: string(r.EventID), RootID: string(r.RootID), SiteID: string(r.SiteID),
		Decision: r.Decision, DecidedAt: micros(r.DecidedAt), Lateness: r.Lateness.Microseconds(), HoldID: r.HoldID,
		Number: r.Number, Seq: r.Seq, Status: string(r.Status), Detail: string(r.Detail), EndedAt: micros(r.EndedAt),
	}
	if len(r.Steps) > 0 {
		var err error
		if row.Steps, err = marshalText(r.Steps); err != nil {
			return row, err
		}
	}
	return row, nil
}

func (r *runRow) run() (busbar.Run, error) {
	run := busbar.Run{
		ID: busbar.RunID(r.ID), Environment: busbar.Environment(r.Environment), RuleID: busbar.RuleID(r.RuleID), RuleVersion: r.Version,
		Shadow: r.Shadow, Key: r.Key, Trigger: r.Trigger, EventID: busbar.EventID(r.EventID), RootID: busbar.EventID(r.RootID),
		SiteID: busbar.SiteID(r.SiteID), Decision: r.Decision, DecidedAt: fromMicros(r.DecidedAt),
		Lateness: time.Duration(r.Lateness) * time.Microsecond, HoldID: r.HoldID, Number: r.Number, Seq: r.Seq,
		Status: busbar.RunStatus(r.Status), Detail: json.RawMessage(r.Detail), EndedAt: fromMicros(r.EndedAt),
	}
	if r.Steps != "" {
		if err := json.Unmarshal([]byte(r.Steps), &run.Steps); err != nil {
			return run, fmt.Errorf("read steps of run %s: %w", r.ID, err)
		}
	}
	return run, nil
}

// stopRow is a row of automation_stops.
type stopRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	SiteID      string `gorm:"column:site_id;primaryKey"`
	By          string `gorm:"column:by_whom"`
	At          int64  `gorm:"column:at"`
}

// TableName names the table for gorm.
func (stopRow) TableName() string { return "automation_stops" }

func (r *stopRow) stop() busbar.AutomationStop {
	return busbar.AutomationStop{
		Environment: busbar.Environment(r.Environment), SiteID: busbar.SiteID(r.SiteID), By: r.By, At: fromMicros(r.At),
	}
}
