package rules

import "busbar"

// Evaluated is what an expression gave, in a form that tests can compare.
type Evaluated struct {
	Value   any
	Unknown bool
	Causes  []Unknown
	LeftOut []Unknown
	Err     *EvaluationError
}

// Evaluate compiles and evaluates an expression of a rule for a family of devices.
func Evaluate(source string, family busbar.Family, in *Input) (Evaluated, []Diagnostic) {
	p, diagnostics := compile("if", source, scene{family: family}.variables())
	if p == nil {
		return Evaluated{}, diagnostics
	}
	r := p.run(in, MaxSteps)
	return Evaluated{plain(r.value), r.value.kind == kindUnknown && r.err == nil, r.value.unknowns(), r.leftOut, r.err}, diagnostics
}

// Explain compiles a condition and evaluates its parts.
func Explain(source string, family busbar.Family, in *Input) []Clause {
	p, _ := compile("if", source, scene{family: family}.variables())
	return explain(p.clauses, in, MaxSteps, nil)
}
