package rules

import (
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// checkEnum refuses a text in the source that the other side can never be.
func (c *compiler) checkEnum(of, literal *code) {
	if of.typ.enum == nil || literal.constant == nil || literal.constant.kind != kindString {
		return
	}
	if text := literal.constant.text(); !slices.Contains(of.typ.enum, text) {
		c.report(SeverityError, literal.from, literal.to, "%s is never %q%s", clip(of.text), text, suggest(text, of.typ.enum))
	}
}

// checkEnumOf refuses a text that no element of a list can be.
func (c *compiler) checkEnumOf(literal *code, elem typ) {
	if elem.enum == nil || literal.constant == nil || literal.constant.kind != kindString {
		return
	}
	if text := literal.constant.text(); !slices.Contains(elem.enum, text) {
		c.report(SeverityError, literal.from, literal.to, "%q is never in it%s", text, suggest(text, elem.enum))
	}
}

// checkEnumList refuses texts in a list of the source that the left side can never be.
func (c *compiler) checkEnumList(of *code, list ast.Node) {
	items, ok := list.(*ast.ArrayNode)
	if !ok {
		return
	}
	for _, item := range items.Nodes {
		c.checkEnum(of, c.compile(item))
	}
}

func (c *compiler) warn(of *code, format string, args ...any) {
	c.report(SeverityWarning, of.from, of.to, format, args...)
}

// spanOf is where a comparison stands, which is not compiled yet when it is looked at.
func spanOf(left, right *code) (from, to int) {
	return min(left.from, right.from), max(left.to, right.to)
}

// lintNil: a field that is null is unknown, so that comparing it with nil says nothing.
func (c *compiler) lintNil(n *ast.BinaryNode, left, right *code) {
	of := left
	if left.typ.kind == kindNil {
		of = right
	}
	if of.typ.kind == kindObject && !isState(of.typ.object) || of.typ.kind == kindNil {
		return
	}
	from, to := spanOf(left, right)
	c.report(SeverityWarning, from, to, "what is null is unknown, and %s nil then is unknown too; write %s ?? x to say what it counts as",
		n.Operator, clip(of.text))
}

// lintComparison warns of a comparison with a number that the field never has, or that it never passes.
func (c *compiler) lintComparison(n *ast.BinaryNode, left, right *code) {
	op, of, bound := n.Operator, left, right
	if right.typ.field != nil {
		op, of, bound = mirror[op], right, left
	}
	field := of.typ.field
	if field == nil || bound.constant == nil || bound.constant.kind != kindNumber {
		return
	}
	x := bound.constant.num
	from, to := spanOf(left, right)
	switch {
	case never(op, x, field.Min, field.Max):
		c.report(SeverityWarning, from, to, "this is never true: %s lies from %v to %v %s", clip(of.text), field.Min, field.Max, field.Unit)
	case never(inverse[op], x, field.Min, field.Max):
		c.report(SeverityWarning, from, to, "this is true whenever %s is known: it lies from %v to %v %s", clip(of.text), field.Min, field.Max, field.Unit)
	case (op == "==" || op == "!=") && field.StepsPerUnit > 0 && offGrid(x*field.StepsPerUnit):
		c.report(SeverityWarning, from, to, "%s is rounded to %v and is never equal to %v", clip(of.text), field.Resolution(), x)
	case op == "==" && field.StepsPerUnit > 1:
		c.report(SeverityWarning, from, to, "%s is measured, and may step over %v: write >= or <=, or between()", clip(of.text), x)
	}
}

// offGrid reports whether a multiple of the resolution is none.
func offGrid(steps float64) bool { return math.Abs(steps-math.Round(steps)) > 1e-6 }

var mirror = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

var inverse = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}

// never reports whether no value from lo to hi stands in this relation to x.
func never(op string, x, lo, hi float64) bool {
	switch op {
	case "<":
		return lo >= x
	case "<=":
		return lo > x
	case ">":
		return hi <= x
	case ">=":
		return hi < x
	case "==":
		return x < lo || x > hi
	default:
		return lo == hi && x == lo
	}
}

// lintRange warns of `x in 20..80` for a measured value, which is not a whole number as a rule.
func (c *compiler) lintRange(left, from, to *code) {
	if left.typ.field != nil && left.typ.field.StepsPerUnit <= 1 || left.constant != nil {
		return
	}
	c.report(SeverityWarning, left.from, to.to, "only whole numbers lie in a range, and %s may be none; write between(%s, %s, %s)",
		clip(left.text), clip(left.text), clip(from.text), clip(to.text))
}

// lintBetween warns of bounds in the wrong order, and of a range that the field does not reach.
func (c *compiler) lintBetween(operands []*code) {
	x, lo, hi := operands[0], operands[1].constant, operands[2].constant
	if lo == nil || hi == nil || lo.kind != kindNumber || hi.kind != kindNumber {
		return
	}
	field := x.typ.field
	switch {
	case lo.num > hi.num:
		c.warn(operands[1], "this is never true: the lower bound lies above the upper one")
	case field != nil && (lo.num > field.Max || hi.num < field.Min):
		c.warn(operands[1], "this is never true: %s lies from %v to %v %s", clip(x.text), field.Min, field.Max, field.Unit)
	}
}

// relation is a comparison of something with a number of the source.
type relation struct {
	of, op string
	bound  float64
}

// relationOf reads a comparison.
func (c *compiler) relationOf(n ast.Node) (relation, bool) {
	b, ok := n.(*ast.BinaryNode)
	if !ok || mirror[b.Operator] == "" {
		return relation{}, false
	}
	left, right := c.memo[b.Left], c.memo[b.Right]
	switch {
	case left == nil || right == nil:
	case right.constant != nil && right.constant.kind == kindNumber && left.constant == nil:
		return relation{strings.Join(strings.Fields(left.text), ""), b.Operator, right.constant.num}, true
	case left.constant != nil && left.constant.kind == kindNumber && right.constant == nil:
		return relation{strings.Join(strings.Fields(right.text), ""), mirror[b.Operator], left.constant.num}, true
	}
	return relation{}, false
}

// lintContradiction warns of `x > 80 and x < 20`, which no value satisfies. Each `and` compares its two sides: what lies
// within one of them was compared there.
func (c *compiler) lintContradiction(n *ast.BinaryNode, left, right *code) {
	var before []relation
	for _, part := range conjuncts(n.Left) {
		if r, ok := c.relationOf(part); ok {
			before = append(before, r)
		}
	}
	for _, part := range conjuncts(n.Right) {
		r, ok := c.relationOf(part)
		if !ok {
			continue
		}
		for _, other := range before {
			if other.of == r.of && disjoint(other, r) {
				from, to := spanOf(left, right)
				c.report(SeverityWarning, from, to, "this is never true: %s cannot be %s %v and %s %v", r.of, other.op, other.bound, r.op, r.bound)
				return
			}
		}
	}
}

// conjuncts are the operands of a chain of `and`.
func conjuncts(n ast.Node) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && (b.Operator == "and" || b.Operator == "&&") {
		return append(conjuncts(b.Left), conjuncts(b.Right)...)
	}
	return []ast.Node{n}
}

// disjoint reports whether no number satisfies both.
func disjoint(a, b relation) bool {
	lo, hi := math.Inf(-1), math.Inf(1)
	loOpen, hiOpen := false, false
	for _, r := range []relation{a, b} {
		switch r.op {
		case ">", ">=":
			if r.bound > lo || r.bound == lo && r.op == ">" {
				lo, loOpen = r.bound, r.op == ">"
			}
		case "<", "<=":
			if r.bound < hi || r.bound == hi && r.op == "<" {
				hi, hiOpen = r.bound, r.op == "<"
			}
		case "==":
			lo, hi = math.Max(lo, r.bound), math.Min(hi, r.bound)
			loOpen, hiOpen = loOpen && lo != r.bound, hiOpen && hi != r.bound
		}
	}
	return lo > hi || lo == hi && (loOpen || hiOpen)
}
