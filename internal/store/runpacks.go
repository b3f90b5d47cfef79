package store

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"busbar"
	"busbar/rules"
)

// PackedRun is a run that moved nothing, in the pack of its event. Its id is derived: of a thousand of them it would make half of
// the pack.
type PackedRun struct {
	RuleID  busbar.RuleID  `json:"r"`
	Version int            `json:"v"`
	Shadow  bool           `json:"s,omitempty"`
	Key     string         `json:"k"`
	Is      rules.Decision `json:"d"`
	HoldID  string         `json:"h,omitempty"`
	Detail  rules.Detail   `json:"x"`
}

// keptRun is one as it is read.
type keptRun struct {
	PackedRun

	ID     busbar.RunID    `json:"-"`
	Detail json.RawMessage `json:"x"`
}

// RunPack are the runs of one event that moved nothing.
type RunPack struct {
	Event *busbar.Event
	Runs  []PackedRun
}

// runPackRow is a row of run_packs.
type runPackRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	EventID     string `gorm:"column:event_id;primaryKey"`
	DecidedAt   int64  `gorm:"column:decided_at"`
	Unlisted    bool   `gorm:"column:unlisted"`
	// Body is deflated JSON of packed runs: a thousand of them say much the same.
	Body []byte `gorm:"column:body"`
}

// TableName names the table for gorm.
func (runPackRow) TableName() string { return "run_packs" }

// InsertRunPacks stores them; ListRuns lists them among the runs of their rules.
func (t *DecisionTx) InsertRunPacks(packs []RunPack) error {
	if len(packs) == 0 {
		return nil
	}
	rows := make([]runPackRow, len(packs))
	for i := range packs {
		e := packs[i].Event
		body, err := deflate(packs[i].Runs)
		if err != nil {
			return fmt.Errorf("write runs of event %s: %w", e.ID, err)
		}
		rows[i] = runPackRow{string(e.Environment), string(e.ID), micros(e.ReceivedAt), true, body}
	}
	return wrap(t.db.CreateInBatches(&rows, insertBatch).Error, "insert runs that moved nothing")
}

// runs reads the body of a pack.
func (r *runPackRow) runs() ([]keptRun, error) {
	var runs []keptRun
	in := flate.NewReader(bytes.NewReader(r.Body))
	if err := errors.Join(json.NewDecoder(in).Decode(&runs), in.Close()); err != nil {
		return nil, fmt.Errorf("read runs of event %s: %w", r.EventID, err)
	}
	for i := range runs {
		k := &runs[i]
		k.ID = busbar.RunID(rules.EventRunID(busbar.Environment(r.Environment), string(k.RuleID), k.Version, k.Key, busbar.EventID(r.EventID)))
	}
	return runs, nil
}

// deflaters are kept: making one costs more than what it does.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

func deflate(runs []PackedRun) ([]byte, error) {
	w := deflaters.Get().(*flate.Writer) //nolint:forcetypeassert // New gives nothing else
	defer deflaters.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	if err := errors.Join(json.NewEncoder(w).Encode(runs), w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
