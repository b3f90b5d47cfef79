package rules

import (
	"time"

	"github.com/expr-lang/expr/ast"

	"busbar"
)

// Clause is a part of a condition with what it gave, evaluated on its own: also where `and` and `or` did not need it.
type Clause struct {
	Source string `json:"source"`
	// Value is what it gave; nil when it is unknown, or null.
	Value any `json:"value"`
	// Unknown are the causes when it is not known.
	Unknown []Unknown `json:"unknown,omitempty"`
	// LeftOut are the elements of lists that were left out because something about them was not known.
	LeftOut []Unknown `json:"leftOut,omitempty"`
	// Error says why it could not be evaluated.
	Error string `json:"error,omitempty"`
	// Operands are what a comparison compares, without what is literal.
	Operands []Operand `json:"operands,omitempty"`
}

// Operand is a side of a comparison with what it gave; Value is nil when that is unknown, or null.
type Operand struct {
	Source string `json:"source"`
	Value  any    `json:"value"`
}

// explain evaluates the parts of a condition, each on its own. The first part is the whole, which is not evaluated again when it is
// known what that gave.
func explain(parts []*code, in *Input, steps int, whole *result) []Clause {
	clauses := make([]Clause, len(parts))
	for i, part := range parts {
		var r result
		if i == 0 && whole != nil {
			r = *whole
		} else {
			r = part.run(in, steps)
		}
		clauses[i] = Clause{Source: part.text, LeftOut: r.leftOut}
		if r.err != nil {
			clauses[i].Error = r.err.Error()
			continue
		}
		clauses[i].Value = plain(r.value)
		clauses[i].Unknown = r.value.unknowns()
		for _, operand := range part.operands {
			if r := operand.run(in, steps); r.err == nil {
				clauses[i].Operands = append(clauses[i].Operands, Operand{operand.text, plain(r.value)})
			}
		}
	}
	return clauses
}

// Explanation is what a rule makes of an event, whatever its edge, hold, cooldown and window are.
type Explanation struct {
	// Clauses are the whole condition and its parts.
	Clauses []Clause
	// Steps are what each step of `then` comes to, as if the condition were true and nothing had been done yet.
	Steps []StepPlan
}

// Explain shows what a rule makes of an event. It decides nothing.
func (c *Compiled) Explain(s *Snapshot, e *busbar.Event, now time.Time) (Explanation, error) {
	standing := &Standing{Compiled: c, ID: c.Rule.ID}
	clauses, err := standing.Clauses(s, e)
	if err != nil {
		return Explanation{}, err
	}
	in, err := s.after(e)
	if err != nil {
		return Explanation{}, err
	}
	explained := Explanation{Clauses: clauses, Steps: make([]StepPlan, len(c.then))}
	r := resolver{in: in, rule: standing, snap: s, steps: MaxSteps, now: now}
	for i := range c.then {
		explained.Steps[i] = *r.plan(&c.then[i])
	}
	return explained, nil
}

// clausesOf are the whole condition and the comparisons and connectives that it is made of, in the order of the source.
func (c *compiler) clausesOf(n ast.Node) []*code {
	own := []*code{c.memo[n]}
	switch n := n.(type) {
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			return append(append(own, c.clausesOf(n.Left)...), c.clausesOf(n.Right)...)
		}
		own[0].operands = c.operandsOf(n)
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return append(own, c.clausesOf(n.Node)...)
		}
	case *ast.ConditionalNode:
		if c.memo[n].typ.kind == kindBool {
			own = append(own, c.clausesOf(n.Cond)...)
			own = append(own, c.clausesOf(n.Exp1)...)
			return append(own, c.clausesOf(n.Exp2)...)
		}
	}
	return own
}

// operandsOf are what a comparison is made between, without what is literal: that can be read in the source.
func (c *compiler) operandsOf(n *ast.BinaryNode) []*code {
	var operands []*code
	for _, side := range []ast.Node{n.Left, n.Right} {
		if compiled := c.memo[side]; compiled != nil && compiled.constant == nil && compiled.typ.kind != kindBad {
			operands = append(operands, compiled)
		}
	}
	return operands
}

// maxPlain is how many elements of a list are shown.
const maxPlain = 50

// plain is a value as JSON can show it; nil for what is not known.
func plain(v value) any {
	switch v.kind {
	case kindBool:
		return v.bool()
	case kindNumber:
		return v.num
	case kindString:
		return v.text()
	case kindTime:
		return v.time().Format(time.RFC3339)
	case kindDuration:
		return v.duration().String()
	case kindQuantity:
		return v.quantity()
	case kindList:
		return plainList(v)
	case kindMap:
		return v.ref
	case kindObject:
		if d, ok := v.ref.(*busbar.Device); ok {
			return string(d.ID)
		}
	case kindUnknown, kindNil, kindAny, kindBad:
	}
	return nil
}

func plainList(v value) any {
	if raw, ok := v.ref.([]any); ok {
		return raw[:min(len(raw), maxPlain)]
	}
	items := v.ref.([]value)
	shown := make([]any, 0, min(len(items), maxPlain))
	for _, item := range items[:min(len(items), maxPlain)] {
		shown = append(shown, plain(item))
	}
	return shown
}
