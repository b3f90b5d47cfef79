package rules

import (
	"math"
	"time"

	"github.com/expr-lang/expr/ast"
)

// operand compiles what must be of a kind.
func (c *compiler) operand(n ast.Node, k kind) *code {
	compiled := c.compile(n)
	if !compiled.typ.could(k) {
		c.report(SeverityError, compiled.from, compiled.to, "%s is %s, where %s is needed", clip(compiled.text), compiled.typ, k)
		return c.bad(n)
	}
	return compiled
}

func (c *compiler) unary(n *ast.UnaryNode) *code {
	k := kindNumber
	if n.Operator == "not" || n.Operator == "!" {
		k = kindBool
	}
	of := c.operand(n.Node, k)
	if of.typ.kind == kindBad {
		return c.bad(n)
	}
	made := &code{typ: typ{kind: k}}
	switch n.Operator {
	case "not", "!":
		made.eval = func(f *frame) value {
			v, ok := f.want(of, kindBool)
			if !ok {
				return v
			}
			return boolOf(!v.bool())
		}
	case "-":
		made.eval = func(f *frame) value {
			v, ok := f.number(of)
			if !ok {
				return v
			}
			return numberOf(-v.num)
		}
		if of.constant != nil {
			negative := numberOf(-of.constant.num)
			made.constant = &negative
		}
	default:
		made.eval = of.eval
	}
	return made
}

func (c *compiler) binary(n *ast.BinaryNode) *code {
	switch n.Operator {
	case "and", "&&", "or", "||":
		return c.logical(n)
	case "??":
		return c.coalesce(n)
	case "==", "!=":
		return c.equality(n)
	case "<", "<=", ">", ">=":
		return c.comparison(n)
	case "+", "-", "*", "/", "%", "**", "^":
		return c.arithmetic(n)
	case "in":
		return c.in(n)
	case "contains", "startsWith", "endsWith":
		return c.textual(n)
	case "matches":
		return c.matches(n)
	case "..":
		return c.numbers(n)
	default:
		return c.wrong(n, "the operator %s is not part of the language of rules", n.Operator)
	}
}

// logical is `and` and `or` with three values: one operand may decide although the other is not known.
func (c *compiler) logical(n *ast.BinaryNode) *code {
	left, right := c.operand(n.Left, kindBool), c.operand(n.Right, kindBool)
	if left.typ.kind == kindBad || right.typ.kind == kindBad {
		return c.bad(n)
	}
	decides := n.Operator == "or" || n.Operator == "||"
	if !decides {
		c.lintContradiction(n, left, right)
	}
	return &code{typ: typ{kind: kindBool}, eval: func(f *frame) value {
		l, lok := f.want(left, kindBool)
		if lok && l.bool() == decides {
			return l
		}
		r, rok := f.want(right, kindBool)
		switch {
		case rok && r.bool() == decides:
			return r
		case lok && rok:
			return r
		case lok:
			return r
		case rok:
			return l
		default:
			return either(l, r)
		}
	}}
}

func (c *compiler) coalesce(n *ast.BinaryNode) *code {
	left, right := c.compile(n.Left), c.compile(n.Right)
	t, ok := join(left.typ, right.typ)
	if !ok {
		return c.wrong(n, "%s is %s, and %s is %s: both sides of ?? must be of one kind",
			clip(left.text), left.typ, clip(right.text), right.typ)
	}
	return &code{typ: t, eval: func(f *frame) value {
		if v := left.eval(f); !v.missing() {
			return v
		}
		return right.eval(f)
	}}
}

func (c *compiler) conditional(n *ast.ConditionalNode) *code {
	cond, yes, no := c.operand(n.Cond, kindBool), c.compile(n.Exp1), c.compile(n.Exp2)
	t, ok := join(yes.typ, no.typ)
	switch {
	case cond.typ.kind == kindBad || t.kind == kindBad:
		return c.bad(n)
	case !ok:
		return c.wrong(n, "%s is %s, and %s is %s: both results must be of one kind", clip(yes.text), yes.typ, clip(no.text), no.typ)
	}
	return &code{typ: t, eval: func(f *frame) value {
		v, ok := f.want(cond, kindBool)
		switch {
		case !ok:
			return v
		case v.bool():
			return yes.eval(f)
		default:
			return no.eval(f)
		}
	}}
}

func (c *compiler) declaration(n *ast.VariableDeclaratorNode) *code {
	given := c.compile(n.Value)
	if _, taken := c.root.member(n.Name); taken {
		return c.wrong(n, "%s is the name of a variable already", n.Name)
	}
	c.locals = append(c.locals, local{n.Name, given.typ})
	body := c.compile(n.Expr)
	c.locals = c.locals[:len(c.locals)-1]
	if given.typ.kind == kindBad || body.typ.kind == kindBad {
		return c.bad(n)
	}
	return &code{typ: body.typ, eval: func(f *frame) value {
		f.locals = append(f.locals, given.eval(f))
		v := body.eval(f)
		f.locals = f.locals[:len(f.locals)-1]
		return v
	}}
}

func (c *compiler) array(n *ast.ArrayNode) *code {
	items := make([]*code, len(n.Nodes))
	elem := typ{kind: kindNil}
	for i, part := range n.Nodes {
		items[i] = c.compile(part)
		joined, ok := join(elem, items[i].typ)
		if !ok {
			return c.wrong(part, "%s is %s: the items of a list must be of one kind", clip(items[i].text), items[i].typ)
		}
		elem = joined
	}
	if elem.kind == kindBad {
		return c.bad(n)
	}
	if elem.kind == kindNil {
		elem.kind = kindAny
	}
	made := &code{typ: listType(elem)}
	made.eval = func(f *frame) value {
		f.take(made, len(items)*valueBytes)
		list := make([]value, len(items))
		for i, item := range items {
			list[i] = item.eval(f)
		}
		return listOf(list)
	}
	return made
}

// equality compares what is of one kind. Nothing but nil itself and a known value can be compared with nil.
func (c *compiler) equality(n *ast.BinaryNode) *code {
	left, right := c.compile(n.Left), c.compile(n.Right)
	if left.typ.kind == kindBad || right.typ.kind == kindBad {
		return c.bad(n)
	}
	joined, ok := join(left.typ, right.typ)
	if !ok || joined.kind == kindList || joined.kind == kindMap {
		return c.wrong(n, "%s is %s, and %s is %s: they cannot be equal", clip(left.text), left.typ, clip(right.text), right.typ)
	}
	c.checkEnum(left, right)
	c.checkEnum(right, left)
	if left.typ.kind == kindNil || right.typ.kind == kindNil {
		c.lintNil(n, left, right)
	}
	c.lintComparison(n, left, right)
	equal := n.Operator == "=="
	made := &code{typ: typ{kind: kindBool}}
	made.eval = func(f *frame) value {
		l, r := left.eval(f), right.eval(f)
		if l.kind == kindUnknown || r.kind == kindUnknown {
			return either(l, r)
		}
		if l.kind == kindString && r.kind == kindString {
			f.look(made, min(len(l.text()), len(r.text())))
		}
		return boolOf(same(l, r) == equal)
	}
	return made
}

func ordered(t typ) bool {
	switch t.kind {
	case kindNumber, kindString, kindTime, kindDuration, kindQuantity, kindAny, kindNil:
		return true
	case kindUnknown, kindBool, kindList, kindObject, kindMap, kindBad:
	}
	return false
}

func (c *compiler) comparison(n *ast.BinaryNode) *code {
	left, right := c.compile(n.Left), c.compile(n.Right)
	if left.typ.kind == kindBad || right.typ.kind == kindBad {
		return c.bad(n)
	}
	if _, ok := join(left.typ, right.typ); !ok || !ordered(left.typ) || !ordered(right.typ) {
		return c.wrong(n, "%s is %s, and %s is %s: they cannot be compared with %s",
			clip(left.text), left.typ, clip(right.text), right.typ, n.Operator)
	}
	c.lintComparison(n, left, right)
	op := n.Operator
	made := &code{typ: typ{kind: kindBool}}
	made.eval = func(f *frame) value {
		l, lok := f.known(left)
		r, rok := f.known(right)
		if !lok || !rok {
			return either(l, r)
		}
		sign, ok := order(l, r)
		if !ok {
			f.incomparable(made, l, r)
		}
		return boolOf(holds(sign, op))
	}
	return made
}

func holds(sign int, op string) bool {
	switch op {
	case "<":
		return sign < 0
	case "<=":
		return sign <= 0
	case ">":
		return sign > 0
	case ">=":
		return sign >= 0
	case "==":
		return sign == 0
	default:
		return sign != 0
	}
}

// arithmetic calculates with numbers, adds texts, and moves times by durations.
func (c *compiler) arithmetic(n *ast.BinaryNode) *code {
	left, right := c.compile(n.Left), c.compile(n.Right)
	if left.typ.kind == kindBad || right.typ.kind == kindBad {
		return c.bad(n)
	}
	result, ok := sumType(n.Operator, left.typ, right.typ)
	if !ok {
		return c.wrong(n, "%s is %s, and %s is %s: %s cannot be used with them",
			clip(left.text), left.typ, clip(right.text), right.typ, n.Operator)
	}
	op := n.Operator
	made := &code{typ: result}
	made.eval = func(f *frame) value {
		l, lok := f.known(left)
		r, rok := f.known(right)
		switch {
		case !lok || !rok:
			return either(l, r)
		case l.kind == kindNumber && r.kind == kindNumber:
			return finite(calculate(op, l.num, r.num), made.short)
		case op == "+" && l.kind == kindString && r.kind == kindString:
			f.take(made, len(l.text())+len(r.text()))
			return stringOf(l.text() + r.text())
		}
		return move(f, made, op, l, r)
	}
	return made
}

// sumType is the type of a calculation.
func sumType(op string, l, r typ) (typ, bool) {
	if l.kind == kindNil || r.kind == kindNil {
		return typ{}, false
	}
	if l.loose() || r.loose() {
		return typ{kind: kindAny}, true
	}
	switch {
	case l.kind == kindNumber && r.kind == kindNumber:
		return typ{kind: kindNumber}, true
	case op == "+" && l.kind == kindString && r.kind == kindString:
		return typ{kind: kindString}, true
	case (op == "+" || op == "-") && l.kind == kindTime && r.kind == kindDuration,
		op == "+" && l.kind == kindDuration && r.kind == kindTime:
		return typ{kind: kindTime}, true
	case op == "-" && l.kind == kindTime && r.kind == kindTime,
		(op == "+" || op == "-") && l.kind == kindDuration && r.kind == kindDuration:
		return typ{kind: kindDuration}, true
	}
	return typ{}, false
}

// maxShift keeps durations where they can be calculated with.
const maxShift = float64(100 * 365 * 24 * time.Hour)

func move(f *frame, c *code, op string, l, r value) value {
	sign := 1.0
	if op == "-" {
		sign = -1
	}
	if _, ok := sumType(op, typ{kind: l.kind}, typ{kind: r.kind}); !ok {
		f.mismatch(c, r, "something that "+op+" can be used with")
	}
	if math.Abs(l.num) > maxShift || math.Abs(r.num) > maxShift {
		return unknownOf(c.short, ReasonNotFinite)
	}
	switch {
	case l.kind == kindTime && r.kind == kindTime:
		return durationOf(l.time().Sub(r.time()))
	case l.kind == kindTime:
		return writable(l.time().Add(time.Duration(sign*r.num)), c)
	case r.kind == kindTime:
		return writable(r.time().Add(l.duration()), c)
	default:
		return durationOf(time.Duration(l.num + sign*r.num))
	}
}

// writable is a time of which the year has four digits, unknown otherwise.
func writable(t time.Time, c *code) value {
	if t.Year() < 1 || t.Year() > 9999 {
		return unknownOf(c.short, ReasonNotFinite)
	}
	return timeOf(t)
}

func calculate(op string, l, r float64) float64 {
	switch op {
	case "+":
		return l + r
	case "-":
		return l - r
	case "*":
		return l * r
	case "/":
		return l / r
	case "%":
		return math.Mod(l, r)
	default:
		return math.Pow(l, r)
	}
}
