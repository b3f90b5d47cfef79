package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// MaxElements is how many elements of a list a predicate may be asked about; sites have at most as many devices.
const MaxElements = 10_000

// predicate is a function that asks something about the elements of a list.
type predicate struct {
	signature, doc string
	// result is the type of what it gives, from those of the elements and of the predicate's body.
	result func(elem, body typ) typ
	// body is what the predicate must be; kindAny is anything.
	body kind
	// optional: the predicate may be left out, and then is the element itself.
	optional bool
	fold     func(f *frame, made *code, items []value, ask func(int) value) value
}

func fixed(k kind) func(typ, typ) typ { return func(typ, typ) typ { return typ{kind: k} } }

func theElement(elem, _ typ) typ { return elem }

// predicates by name. Elements of which the answer is not known count as in `and` and `or` for any, all, none and one; the
// others leave them out, and the run lists them.
var predicates = map[string]*predicate{
	"any": {
		"any(list, predicate)", "Whether it is true of some element.", fixed(kindBool), kindBool, false,
		func(_ *frame, _ *code, items []value, ask func(int) value) value {
			return foldLogical(items, ask, true)
		},
	},
	"all": {
		"all(list, predicate)", "Whether it is true of every element; true of an empty list.", fixed(kindBool), kindBool, false,
		func(_ *frame, _ *code, items []value, ask func(int) value) value {
			return foldLogical(items, ask, false)
		},
	},
	"none": {
		"none(list, predicate)", "Whether it is true of no element.", fixed(kindBool), kindBool, false,
		func(_ *frame, _ *code, items []value, ask func(int) value) value {
			v := foldLogical(items, ask, true)
			if v.kind == kindUnknown {
				return v
			}
			return boolOf(!v.bool())
		},
	},
	"one": {"one(list, predicate)", "Whether it is true of exactly one element.", fixed(kindBool), kindBool, false, foldOne},
	"find": {
		"find(list, predicate)", "The first element of which it is true; nil when there is none.", theElement, kindBool, false,
		func(f *frame, _ *code, items []value, ask func(int) value) value {
			for i := range items {
				if f.yes(ask(i)) {
					return items[i]
				}
			}
			return value{kind: kindNil}
		},
	},
	"findLast": {
		"findLast(list, predicate)", "The last element of which it is true; nil when there is none.", theElement, kindBool, false,
		func(f *frame, _ *code, items []value, ask func(int) value) value {
			for i := range slices.Backward(items) {
				if f.yes(ask(i)) {
					return items[i]
				}
			}
			return value{kind: kindNil}
		},
	},
	"filter": {
		"filter(list, predicate)", "The elements of which it is true.", func(elem, _ typ) typ { return listType(elem) }, kindBool, false,
		foldFilter,
	},
	"map": {
		"map(list, predicate)", "What the predicate gives for each element.", func(_, body typ) typ { return listType(body) }, kindAny, false,
		foldMap,
	},
	"count": {
		"count(list, predicate)", "Of how many elements it is true.", fixed(kindNumber), kindBool, true,
		func(f *frame, _ *code, items []value, ask func(int) value) value {
			n := 0
			for i := range items {
				if f.yes(ask(i)) {
					n++
				}
			}
			return numberOf(float64(n))
		},
	},
	"sum": {"sum(list, predicate)", "The sum of what the predicate gives; of the elements themselves without one.", fixed(kindNumber), kindNumber, true, foldSum},
	"sortBy": {
		"sortBy(list, predicate)", "The elements in ascending order of what the predicate gives; reverse() gives the descending one.",
		func(elem, _ typ) typ { return listType(elem) }, kindAny, false, foldSort,
	},
}

// foldLogical is `or` over the elements when decides is true, and `and` when it is false.
func foldLogical(items []value, ask func(int) value, decides bool) value {
	undecided := boolOf(!decides)
	for i := range items {
		v := ask(i)
		switch {
		case v.kind != kindUnknown && v.bool() == decides:
			return v
		case v.kind == kindUnknown && undecided.kind == kindUnknown:
			undecided = either(undecided, v)
		case v.kind == kindUnknown:
			undecided = v
		}
	}
	return undecided
}

func foldOne(_ *frame, _ *code, items []value, ask func(int) value) value {
	found, undecided := 0, value{kind: kindBool}
	for i := range items {
		v := ask(i)
		switch {
		case v.kind == kindUnknown && undecided.kind == kindUnknown:
			undecided = either(undecided, v)
		case v.kind == kindUnknown:
			undecided = v
		case v.bool():
			if found++; found > 1 {
				return boolOf(false)
			}
		}
	}
	if undecided.kind == kindUnknown {
		return undecided
	}
	return boolOf(found == 1)
}

// yes reports whether an answer is true, and lists what was not known.
func (f *frame) yes(v value) bool {
	if v.kind == kindUnknown {
		f.leave(v.unknowns())
		return false
	}
	return v.bool()
}

func foldFilter(f *frame, made *code, items []value, ask func(int) value) value {
	var kept []value
	for i := range items {
		if f.yes(ask(i)) {
			f.take(made, valueBytes)
			kept = append(kept, items[i])
		}
	}
	return listOf(kept)
}

func foldMap(f *frame, made *code, items []value, ask func(int) value) value {
	f.take(made, len(items)*valueBytes)
	mapped := make([]value, 0, len(items))
	for i := range items {
		v := ask(i)
		if v.kind == kindUnknown {
			f.leave(v.unknowns())
			continue
		}
		mapped = append(mapped, v)
	}
	return listOf(mapped)
}

func foldSum(f *frame, made *code, items []value, ask func(int) value) value {
	total := 0.0
	for i := range items {
		v := ask(i)
		if v.kind == kindUnknown {
			f.leave(v.unknowns())
			continue
		}
		total += v.num
	}
	return finite(total, made.short)
}

func foldSort(f *frame, made *code, items []value, ask func(int) value) value {
	type keyed struct{ key, item value }
	f.take(made, 2*len(items)*valueBytes)
	list := make([]keyed, 0, len(items))
	for i := range items {
		k := ask(i)
		switch {
		case k.missing():
			f.leave(k.unknowns())
		case len(list) > 0 && !haveOrder(list[0].key, k):
			f.incomparable(made, list[0].key, k)
		default:
			list = append(list, keyed{k, items[i]})
		}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		f.step(made, 1)
		sign, _ := order(a.key, b.key)
		return sign
	})
	sorted := make([]value, len(list))
	for i := range list {
		sorted[i] = list[i].item
	}
	return listOf(sorted)
}

func haveOrder(a, b value) bool {
	_, ok := order(a, b)
	return ok
}

// predicateCall compiles a call of one of them.
func (c *compiler) predicateCall(n ast.Node, name string, p *predicate, args []ast.Node) *code {
	if len(args) == 0 || len(args) > 2 || len(args) == 1 && !p.optional {
		return c.wrong(n, "%s is called as %s", name, p.signature)
	}
	list := c.operand(args[0], kindList)
	if list.typ.kind == kindBad {
		return c.bad(n)
	}
	elem := list.typ.element()
	body := c.body(args, list)
	switch {
	case body.typ.kind == kindBad:
		return c.bad(n)
	case p.body != kindAny && !body.typ.could(p.body):
		c.report(SeverityError, body.from, body.to, "%s is %s, where %s needs %s", clip(body.text), body.typ, name, p.body)
		return c.bad(n)
	case name == "sortBy" && !ordered(body.typ):
		c.report(SeverityError, body.from, body.to, "%s is %s, which has no order", clip(body.text), body.typ)
		return c.bad(n)
	}
	want := p.body
	made := &code{typ: p.result(elem, body.typ)}
	made.eval = func(f *frame) value {
		v, ok := f.want(list, kindList)
		if !ok {
			return v
		}
		items := f.list(v, list)
		if len(items) > MaxElements {
			panic(abort{&EvaluationError{Limit: "elements", At: list.short, Message: "has more elements than the limit of elements, 10000"}})
		}
		f.elems = append(f.elems, element{})
		top := len(f.elems) - 1
		v = p.fold(f, made, items, func(i int) value {
			f.elems[top] = element{items[i], i}
			if want == kindAny {
				return body.eval(f)
			}
			answer, _ := f.want(body, want)
			return answer
		})
		f.elems = f.elems[:top]
		return v
	}
	return made
}

// body compiles the predicate; without one it is the element itself.
func (c *compiler) body(args []ast.Node, list *code) *code {
	elem := list.typ.element()
	if len(args) == 1 {
		depth := len(c.elems)
		return &code{
			typ: elem, text: "an element of " + clip(list.text), from: list.from, to: list.to,
			eval: func(f *frame) value { return f.elems[depth].value },
		}
	}
	node := args[1]
	if p, ok := node.(*ast.PredicateNode); ok {
		node = p.Node
	}
	c.elems = append(c.elems, elem)
	compiled := c.compile(node)
	c.elems = c.elems[:len(c.elems)-1]
	return compiled
}

// in asks whether a list has an element, an object has a name, or a whole number lies in a range.
func (c *compiler) in(n *ast.BinaryNode) *code {
	left := c.compile(n.Left)
	if r, ok := n.Right.(*ast.BinaryNode); ok && r.Operator == ".." {
		return c.inRange(n, r, left)
	}
	right := c.compile(n.Right)
	switch {
	case left.typ.kind == kindBad || right.typ.kind == kindBad:
		return c.bad(n)
	case !right.typ.could(kindList) && right.typ.kind != kindMap:
		return c.wrong(n, "%s is %s, and in needs a list", clip(right.text), right.typ)
	}
	if right.typ.kind == kindList {
		elem := right.typ.element()
		if _, ok := join(left.typ, elem); !ok {
			return c.wrong(n, "%s is %s, and %s is %s: it can never be in it", clip(left.text), left.typ, clip(right.text), right.typ)
		}
		c.checkEnumList(left, n.Right)
		c.checkEnumOf(left, elem)
	}
	made := &code{typ: typ{kind: kindBool}}
	made.eval = func(f *frame) value {
		l, lok := f.known(left)
		r, rok := f.known(right)
		switch {
		case !lok || !rok:
			return either(l, r)
		case r.kind == kindMap && l.kind == kindString:
			_, has := r.ref.(map[string]any)[l.text()]
			return boolOf(has)
		case r.kind != kindList:
			f.mismatch(right, r, "a list, or an object for a string")
		}
		items := f.list(r, right)
		return foldLogical(items, func(i int) value {
			f.step(made, 1)
			if items[i].kind == kindUnknown {
				return items[i]
			}
			return boolOf(same(l, items[i]))
		}, true)
	}
	return made
}

// inRange is `x in 20..80`: only whole numbers lie in a range, which is seldom what is meant of a measured value.
func (c *compiler) inRange(n, r *ast.BinaryNode, left *code) *code {
	from, to := c.operand(r.Left, kindNumber), c.operand(r.Right, kindNumber)
	switch {
	case left.typ.kind == kindBad || from.typ.kind == kindBad || to.typ.kind == kindBad:
		return c.bad(n)
	case !left.typ.could(kindNumber):
		return c.wrong(n, "%s is %s, and only numbers lie in a range", clip(left.text), left.typ)
	}
	c.lintRange(left, from, to)
	return &code{typ: typ{kind: kindBool}, eval: func(f *frame) value {
		x, xok := f.number(left)
		lo, lok := f.number(from)
		hi, hok := f.number(to)
		if !xok || !lok || !hok {
			return eitherOf(x, lo, hi)
		}
		return boolOf(x.num == float64(int64(x.num)) && x.num >= lo.num && x.num <= hi.num)
	}}
}

// eitherOf is unknown for all that made any of the operands unknown.
func eitherOf(operands ...value) value {
	joined := value{kind: kindUnknown}
	for _, v := range operands {
		if v.kind == kindUnknown {
			joined = either(joined, v)
		}
	}
	return joined
}

// numbers is a range as a list.
func (c *compiler) numbers(n *ast.BinaryNode) *code {
	from, to := c.operand(n.Left, kindNumber), c.operand(n.Right, kindNumber)
	if from.typ.kind == kindBad || to.typ.kind == kindBad {
		return c.bad(n)
	}
	made := &code{typ: listType(typ{kind: kindNumber})}
	made.eval = func(f *frame) value {
		lo, lok := f.number(from)
		hi, hok := f.number(to)
		if !lok || !hok {
			return eitherOf(lo, hi)
		}
		count := hi.num - lo.num + 1
		if count < 1 {
			return listOf(nil)
		}
		f.take(made, int(min(count, MaxMemory))*valueBytes)
		list := make([]value, 0, int(count))
		for i := 0.0; i < float64(int(count)); i++ {
			list = append(list, numberOf(lo.num+i))
		}
		return listOf(list)
	}
	return made
}
