package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

func (c *compiler) identifier(n *ast.IdentifierNode) *code {
	for i, l := range slices.Backward(c.locals) {
		if l.name == n.Value {
			return &code{typ: l.typ, eval: func(f *frame) value { return f.locals[i] }}
		}
	}
	m, ok := c.root.member(n.Value)
	if !ok {
		names := c.root.names()
		for _, l := range c.locals {
			names = append(names, l.name)
		}
		if signature, function := lookUpFunction(n.Value); function {
			return c.wrong(n, "%s is a function: call it, as %s", n.Value, signature)
		}
		return c.wrong(n, "unknown name %s%s", n.Value, suggest(n.Value, names))
	}
	get := m.get
	return &code{typ: m.typ, eval: func(f *frame) value { return get(f, nil) }}
}

// pointer is `.` and `#` in a predicate: the element that it is about.
func (c *compiler) pointer(n *ast.PointerNode) *code {
	if len(c.elems) == 0 {
		return c.wrong(n, "this is only known in the predicate of a function such as any or find")
	}
	depth := len(c.elems) - 1
	switch n.Name {
	case "":
		return &code{typ: c.elems[depth], eval: func(f *frame) value { return f.elems[depth].value }}
	case "index":
		return &code{typ: typ{kind: kindNumber}, eval: func(f *frame) value { return numberOf(float64(f.elems[depth].index)) }}
	default:
		return c.wrong(n, "unknown name #%s; there is # and #index", n.Name)
	}
}

func (c *compiler) memberOf(n *ast.MemberNode) *code {
	of := c.compile(n.Node)
	name, named := n.Property.(*ast.StringNode)
	if of.typ.kind == kindBad {
		return c.bad(n)
	}
	if !named {
		return c.index(n, of)
	}
	switch of.typ.kind {
	case kindObject:
		return c.objectMember(n, of, of.typ.object, name.Value)
	case kindTime:
		return c.objectMember(n, of, timeObject, name.Value)
	case kindQuantity:
		return c.objectMember(n, of, quantityObject, name.Value)
	case kindAny, kindMap:
		return c.dynamicMember(of, name.Value)
	case kindList:
		return c.wrong(n, "%s is a list; ask any(%s, .%s …), or take one with first() or find()", clip(of.text), clip(of.text), name.Value)
	case kindNil, kindUnknown, kindBool, kindNumber, kindString, kindDuration, kindBad:
	}
	return c.wrong(n, "%s is %s and has no %s", clip(of.text), of.typ, name.Value)
}

func (c *compiler) objectMember(n *ast.MemberNode, of *code, o *object, name string) *code {
	m, ok := o.member(name)
	if !ok {
		return c.wrong(n.Property, "%s has no %s%s", o.name, name, suggest(name, o.names()))
	}
	if isState(o) {
		c.reads = append(c.reads, reading{familyOfState(o), name})
	}
	get, eval := m.get, of.eval
	text := clip(of.text)
	return &code{typ: m.typ, eval: func(f *frame) value {
		v := eval(f)
		switch v.kind {
		case kindUnknown:
			return v
		case kindNil:
			return unknownOf(text, ReasonNull)
		default:
			return get(f, v.ref)
		}
	}}
}

// dynamicMember is a name in an event's data, of which nothing is known before it is there.
func (c *compiler) dynamicMember(of *code, name string) *code {
	made := &code{typ: typ{kind: kindAny}}
	path := name
	if of.text != "" {
		path = clip(of.text) + "." + name
	}
	made.eval = func(f *frame) value {
		v, ok := f.known(of)
		if !ok {
			return v
		}
		if v.kind != kindMap {
			f.mismatch(of, v, kindMap.String())
		}
		inner, ok := v.ref.(map[string]any)[name]
		if !ok {
			return unknownOf(path, ReasonMissing)
		}
		return fromJSON(inner, path)
	}
	return made
}

// index is an element of a list by its place, from the end when it is negative; or a name that is calculated.
func (c *compiler) index(n *ast.MemberNode, of *code) *code {
	at := c.compile(n.Property)
	switch {
	case at.typ.kind == kindBad:
		return c.bad(n)
	case of.typ.kind == kindList && !at.typ.could(kindNumber):
		return c.wrong(n.Property, "a list is indexed by a number, not by %s", at.typ)
	case of.typ.kind != kindList && !of.typ.loose():
		return c.wrong(n, "%s is %s and cannot be indexed", clip(of.text), of.typ)
	}
	made := &code{typ: of.typ.element()}
	made.eval = func(f *frame) value {
		v, ok := f.known(of)
		if !ok {
			return v
		}
		i, ok := f.known(at)
		switch {
		case !ok:
			return i
		case v.kind == kindList && i.kind == kindNumber:
			return pick(f.list(v, of), int(i.num), made)
		case v.kind == kindMap && i.kind == kindString:
			inner, ok := v.ref.(map[string]any)[i.text()]
			if !ok {
				return unknownOf(made.short, ReasonMissing)
			}
			return fromJSON(inner, made.short)
		case v.kind != kindList && v.kind != kindMap:
			f.mismatch(of, v, "a list or an object")
		default:
			f.mismatch(at, i, "a number for a list, a string for an object")
		}
		return value{}
	}
	return made
}

func pick(items []value, i int, c *code) value {
	if i < 0 {
		i += len(items)
	}
	if i < 0 || i >= len(items) {
		return unknownOf(c.short, ReasonMissing)
	}
	return items[i]
}

func (c *compiler) slice(n *ast.SliceNode) *code {
	of := c.compile(n.Node)
	if of.typ.kind == kindBad {
		return c.bad(n)
	}
	if of.typ.kind != kindList && !of.typ.loose() {
		return c.wrong(n, "%s is %s and has no parts; a list has", clip(of.text), of.typ)
	}
	var bounds [2]*code
	for i, b := range []ast.Node{n.From, n.To} {
		if b == nil {
			continue
		}
		bounds[i] = c.operand(b, kindNumber)
		if bounds[i].typ.kind == kindBad {
			return c.bad(n)
		}
	}
	made := &code{typ: listType(of.typ.element())}
	made.eval = func(f *frame) value {
		v, ok := f.want(of, kindList)
		if !ok {
			return v
		}
		items := f.list(v, of)
		ends := [2]int{0, len(items)}
		for i, b := range bounds {
			if b == nil {
				continue
			}
			at, ok := f.number(b)
			if !ok {
				return at
			}
			ends[i] = int(at.num)
			if ends[i] < 0 {
				ends[i] += len(items)
			}
			ends[i] = max(0, min(ends[i], len(items)))
		}
		if ends[0] > ends[1] {
			return listOf(nil)
		}
		return listOf(items[ends[0]:ends[1]])
	}
	return made
}

// method refuses calls of methods, and names what there is instead.
func (c *compiler) method(n *ast.CallNode) *code {
	if m, ok := n.Callee.(*ast.MemberNode); ok {
		if name, ok := m.Property.(*ast.StringNode); ok {
			if near := nearest(name.Value, timeObject.names()); near != "" {
				return c.wrong(m.Property, "there are no methods; did you mean .%s?", near)
			}
			return c.wrong(m.Property, "there are no methods; functions are called as name(…)")
		}
	}
	return c.wrong(n, "only functions can be called")
}
