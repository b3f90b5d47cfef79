package busbar

import (
	"fmt"
	"strconv"
	"strings"
)

// StepPlace names a try of a step of a run.
type StepPlace struct {
	// Branch is BranchThen or BranchElseFailed.
	Branch string `json:"branch"`
	// Index counts the steps of the branch from 0, Try the tries of the step.
	Index int `json:"index"`
	Try   int `json:"try"`
}

// The branches of a rule's steps.
const (
	BranchThen       = "then"
	BranchElseFailed = "else_failed"
)

// FirstStep is where each run begins.
func FirstStep() StepPlace { return StepPlace{Branch: BranchThen} }

// String is the place as actions carry it: then/0/1 is the second try of the first step.
func (p StepPlace) String() string { return fmt.Sprintf("%s/%d/%d", p.Branch, p.Index, p.Try) }

// ParseStepPlace reads what String writes.
func ParseStepPlace(s string) (StepPlace, error) {
	branch, rest, _ := strings.Cut(s, "/")
	index, try, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(index)
	if err != nil {
		return StepPlace{}, fmt.Errorf("read step %q: %w", s, err)
	}
	n, err := strconv.Atoi(try)
	if err != nil {
		return StepPlace{}, fmt.Errorf("read try of step %q: %w", s, err)
	}
	return StepPlace{branch, i, n}, nil
}

// Label is the step as people name it.
func (p StepPlace) Label() string {
	if p.Try == 0 {
		return fmt.Sprintf("%s[%d]", p.Branch, p.Index)
	}
	return fmt.Sprintf("%s[%d], try %d", p.Branch, p.Index, p.Try+1)
}

// Place is where the step stands.
func (s *RunStep) Place() StepPlace { return StepPlace{s.Branch, s.Index, s.Try} }

// How a step of a run stands.
const (
	// StepOpen: its actions are on their way.
	StepOpen = "open"
	StepDone = "done"
	// StepFailed: an action failed, or the step could not be worked out. A step that has retries left is tried again.
	StepFailed = "failed"
	// StepNoLongerWanted: its guard was false; nothing was sent, and the next step follows.
	StepNoLongerWanted = "no_longer_wanted"
	// StepNoTarget: there was no device to command.
	StepNoTarget = "no_target"
	// StepHeld: a person or a higher priority holds the devices.
	StepHeld = "held"
	// StepUnknown: a device or a parameter was not known.
	StepUnknown = "unknown"
	// StepExpired: it could not start in time.
	StepExpired = "expired"
	// StepSuperseded: a newer firing, or a person, has decided about its devices.
	StepSuperseded = "superseded"
	// StepDisabled: the rule was paused, disabled or deleted meanwhile, or the emergency stop was pulled.
	StepDisabled = "disabled"
)

// Step finds a try of a step among those that were begun; nil when it was not.
func (r *Run) Step(p StepPlace) *RunStep {
	for i := range r.Steps {
		if r.Steps[i].Place() == p {
			return &r.Steps[i]
		}
	}
	return nil
}
