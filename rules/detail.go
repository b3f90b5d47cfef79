package rules

// Detail is what is kept of a run beside its place and its decision.
type Detail struct {
	// Clauses are the parts of the condition, each with what it gave.
	Clauses []Clause `json:"clauses,omitempty"`
	// Unknown is what was not known of the condition, or of the first step; LeftOut what was left out of lists.
	Unknown []Unknown `json:"unknown,omitempty"`
	LeftOut []Unknown `json:"leftOut,omitempty"`
	// Error says what could not be evaluated.
	Error   string   `json:"error,omitempty"`
	Targets []Target `json:"targets,omitempty"`
	// Firing is what was to be done; nil unless it fired or was shadowed.
	Firing *Firing `json:"firing,omitempty"`
}

// Detail is what is to be kept of the run.
func (r *Run) Detail() Detail {
	return Detail{r.Clauses, r.Unknown, r.LeftOut, r.Error, r.Targets, r.Firing}
}
