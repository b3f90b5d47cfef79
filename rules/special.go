package rules

import (
	"time"

	"github.com/expr-lang/expr/ast"

	"busbar"
)

// specialCall compiles a function that looks at where its operands come from, or takes operands of several kinds.
func (c *compiler) specialCall(n ast.Node, name, signature string, args []ast.Node) *code {
	arity := map[string]int{
		"between": 3, "first": 1, "last": 1, "reverse": 1, "duration": 1, "date": 1, "quantity": 2, "fresh": 2,
		"crossedUp": 2, "crossedDown": 2, "inWindow": 2, "sunrise": 0, "sunset": 0,
	}
	want, exact := arity[name]
	if exact && len(args) != want || !exact && len(args) == 0 {
		return c.wrong(n, "%s is called as %s", name, signature)
	}
	switch name {
	case "between":
		return c.between(n, args)
	case "min", "max":
		return c.extreme(n, name, args)
	case "first", "last", "reverse":
		return c.ofList(n, name, args[0])
	case "duration":
		return c.literal(n, args[0], kindDuration, "a duration such as \"5m\" or \"1h30m\"", func(s string) (value, error) {
			d, err := time.ParseDuration(s)
			return durationOf(d), err
		})
	case "date":
		return c.literal(n, args[0], kindTime, "a time as \"2026-06-01T10:30:00Z\"", func(s string) (value, error) {
			t, err := time.Parse(time.RFC3339, s)
			return timeOf(t), err
		})
	case "quantity":
		return c.quantity(n, args)
	case "fresh":
		return c.fresh(n, args)
	case "crossedUp", "crossedDown":
		return c.crossed(n, name == "crossedUp", args)
	case "inWindow":
		return c.inWindow(n, args)
	default:
		return c.sun(name == "sunrise")
	}
}

func (c *compiler) between(n ast.Node, args []ast.Node) *code {
	operands := make([]*code, len(args))
	joined := typ{kind: kindNil}
	for i, a := range args {
		operands[i] = c.compile(a)
		both, ok := join(joined, operands[i].typ)
		switch {
		case !ok || !ordered(operands[i].typ) && operands[i].typ.kind != kindBad:
			return c.wrong(a, "%s is %s: between needs three numbers, or three times", clip(operands[i].text), operands[i].typ)
		case both.kind == kindBad:
			return c.bad(n)
		}
		joined = both
	}
	c.lintBetween(operands)
	return strict(typ{kind: kindBool}, operands, []kind{kindAny, kindAny, kindAny}, func(f *frame, made *code, a []value) value {
		low, ok := order(a[0], a[1])
		high, ok2 := order(a[0], a[2])
		if !ok || !ok2 {
			f.incomparable(made, a[0], a[1])
		}
		return boolOf(low >= 0 && high <= 0)
	})
}

// extreme is min or max, of its operands or of one list.
func (c *compiler) extreme(n ast.Node, name string, args []ast.Node) *code {
	better := func(a, b float64) bool { return a < b }
	if name == "max" {
		better = func(a, b float64) bool { return a > b }
	}
	best := func(numbers []float64) float64 {
		found := numbers[0]
		for _, x := range numbers {
			if better(x, found) {
				found = x
			}
		}
		return found
	}
	if len(args) == 1 {
		list := c.operand(args[0], kindList)
		if list.typ.kind == kindBad {
			return c.bad(n)
		}
		if elem := list.typ.element(); !elem.could(kindNumber) {
			return c.wrong(n, "%s is %s, and %s needs numbers", clip(list.text), list.typ, name)
		}
		return strict(typ{kind: kindNumber}, []*code{list}, []kind{kindList}, func(f *frame, made *code, a []value) value {
			return overNumbers(f, made, a[0], best)
		})
	}
	operands, kinds := make([]*code, len(args)), numbersOf(len(args))
	for i, a := range args {
		if operands[i] = c.operand(a, kindNumber); operands[i].typ.kind == kindBad {
			return c.bad(n)
		}
	}
	return strict(typ{kind: kindNumber}, operands, kinds, func(_ *frame, _ *code, a []value) value {
		numbers := make([]float64, len(a))
		for i := range a {
			numbers[i] = a[i].num
		}
		return numberOf(best(numbers))
	})
}

func (c *compiler) ofList(n ast.Node, name string, arg ast.Node) *code {
	list := c.operand(arg, kindList)
	if list.typ.kind == kindBad {
		return c.bad(n)
	}
	t := list.typ.element()
	if name == "reverse" {
		t = list.typ
	}
	return strict(t, []*code{list}, []kind{kindList}, func(f *frame, made *code, a []value) value {
		items := f.list(a[0], made)
		switch {
		case name == "reverse":
			f.take(made, len(items)*valueBytes)
			reversed := make([]value, len(items))
			for i := range items {
				reversed[len(items)-1-i] = items[i]
			}
			return listOf(reversed)
		case len(items) == 0:
			return value{kind: kindNil}
		case name == "first":
			return items[0]
		default:
			return items[len(items)-1]
		}
	})
}

// literal reads a text: when it stands in the source, it is checked at once.
func (c *compiler) literal(n, arg ast.Node, k kind, form string, read func(string) (value, error)) *code {
	text := c.operand(arg, kindString)
	if text.typ.kind == kindBad {
		return c.bad(n)
	}
	if text.constant != nil {
		v, err := read(text.constant.text())
		if err != nil {
			return c.wrong(arg, "this must be %s", form)
		}
		return constant(typ{kind: k}, v)
	}
	return strict(typ{kind: k}, []*code{text}, []kind{kindString}, func(f *frame, made *code, a []value) value {
		f.look(made, len(a[0].text()))
		v, err := read(a[0].text())
		if err != nil {
			return unknownOf(made.short, ReasonMissing)
		}
		return v
	})
}

func (c *compiler) quantity(n ast.Node, args []ast.Node) *code {
	number := c.operand(args[0], kindNumber)
	unit, ok := c.unitOf(args[1])
	if !ok || number.typ.kind == kindBad {
		return c.bad(n)
	}
	return strict(typ{kind: kindQuantity}, []*code{number}, numbersOf(1), func(_ *frame, _ *code, a []value) value {
		return value{kind: kindQuantity, ref: busbar.Quantity{Value: a[0].num, Unit: unit}}
	})
}

// stateField is the device and the name behind an operand that is a field of a state.
func (c *compiler) stateField(n ast.Node) (of *code, field string, ok bool) {
	if chain, is := n.(*ast.ChainNode); is {
		n = chain.Node
	}
	m, is := n.(*ast.MemberNode)
	if !is {
		return nil, "", false
	}
	name, is := m.Property.(*ast.StringNode)
	if !is {
		return nil, "", false
	}
	of = c.compile(m.Node)
	return of, name.Value, of.typ.kind == kindObject && isState(of.typ.object)
}

func (c *compiler) fresh(n ast.Node, args []ast.Node) *code {
	operand := c.compile(args[0])
	of, field, ok := c.stateField(args[0])
	age := c.literal(args[1], args[1], kindDuration, "a duration such as \"5m\"", func(s string) (value, error) {
		d, err := time.ParseDuration(s)
		return durationOf(d), err
	})
	switch {
	case operand.typ.kind == kindBad || age.typ.kind == kindBad:
		return c.bad(n)
	case !ok:
		return c.wrong(args[0], "fresh needs a field of a state, as state.level")
	}
	return &code{typ: typ{kind: kindBool}, eval: func(f *frame) value {
		v, ok := f.known(operand)
		most, ok2 := f.want(age, kindDuration)
		if !ok || !ok2 {
			return eitherOf(v, most)
		}
		device := of.eval(f).ref.(*busbar.Device)
		return boolOf(f.in.At.Sub(device.ObservedAt[field]) <= most.duration())
	}}
}

// crossed compares a field of the event's device before and after the event.
func (c *compiler) crossed(n ast.Node, up bool, args []ast.Node) *code {
	m, isMember := args[0].(*ast.MemberNode)
	var of *ast.IdentifierNode
	if isMember {
		of, isMember = m.Node.(*ast.IdentifierNode)
	}
	if !isMember || of.Value != "state" {
		return c.wrong(args[0], "this needs a field of the event's device, as state.level: of others no value before the event is known")
	}
	before := &ast.IdentifierNode{Value: "previous"}
	before.SetLocation(of.Location())
	was := &ast.MemberNode{Node: before, Property: m.Property}
	was.SetLocation(m.Location())
	is, bound := c.operand(m, kindNumber), c.operand(args[1], kindNumber)
	if is.typ.kind == kindBad || bound.typ.kind == kindBad {
		return c.bad(n)
	}
	operands := []*code{c.operand(was, kindNumber), is, bound}
	return strict(typ{kind: kindBool}, operands, numbersOf(3), func(_ *frame, _ *code, a []value) value {
		if up {
			return boolOf(a[0].num < a[2].num && a[1].num >= a[2].num)
		}
		return boolOf(a[0].num > a[2].num && a[1].num <= a[2].num)
	})
}

func (c *compiler) inWindow(n ast.Node, args []ast.Node) *code {
	var w Window
	for i, a := range args {
		text, ok := a.(*ast.StringNode)
		if !ok {
			return c.wrong(a, "a window's ends must be in quotes, as \"22:00\"")
		}
		c.compile(text)
		minute, err := parseClock(text.Value)
		if err != nil {
			return c.wrong(a, "%v", err)
		}
		if i == 0 {
			w.From = minute
		} else {
			w.To = minute
		}
	}
	if w.From == w.To {
		return c.wrong(n, "a window that ends when it begins is empty")
	}
	return &code{typ: typ{kind: kindBool}, eval: func(f *frame) value { return boolOf(w.Contains(f.in.now())) }}
}

func (c *compiler) sun(rise bool) *code {
	return &code{typ: typ{kind: kindTime}, eval: func(f *frame) value {
		site := f.in.Site
		if site == nil || site.Latitude == nil || site.Longitude == nil {
			return unknownOf("the site's position", ReasonMissing)
		}
		now := f.in.now()
		there := f.in.Clock.at(now).In(now.Location())
		begin, end, ok := daylight(there, *site.Latitude, *site.Longitude)
		switch {
		case !ok:
			return unknownOf("the sun neither rises nor sets", ReasonMissing)
		case rise:
			return timeOf(f.in.Clock.real(begin, now, there))
		default:
			return timeOf(f.in.Clock.real(end, now, there))
		}
	}}
}
