package rules

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"busbar"
)

// function is one that takes values. One of its operands unknown makes the result unknown.
type function struct {
	signature, doc string
	params         []kind
	// optional is how many of the params may be left out, at the end.
	optional int
	result   kind
	apply    func(f *frame, made *code, args []value) value
}

// functions are the ones that need nothing but their operands. Those in special look at where an operand comes from.
var functions = map[string]*function{
	"clamp": {"clamp(x, lo, hi)", "x, or the bound that it lies beyond.", numbersOf(3), 0, kindNumber, func(_ *frame, _ *code, a []value) value {
		return numberOf(math.Max(a[1].num, math.Min(a[2].num, a[0].num)))
	}},
	"abs":   numeric("abs", "The distance from zero.", math.Abs),
	"ceil":  numeric("ceil", "The next whole number up.", math.Ceil),
	"floor": numeric("floor", "The next whole number down.", math.Floor),
	"round": numeric("round", "The nearest whole number.", math.Round),
	"int":   numeric("int", "The whole part.", math.Trunc),
	"lower": {"lower(text)", "In small letters.", []kind{kindString}, 0, kindString, textual(strings.ToLower)},
	"upper": {"upper(text)", "In capital letters.", []kind{kindString}, 0, kindString, textual(strings.ToUpper)},
	"trim":  {"trim(text)", "Without white space around it.", []kind{kindString}, 0, kindString, textual(strings.TrimSpace)},
	"split": {"split(text, separator)", "The parts of a text.", []kind{kindString, kindString}, 0, kindList, applySplit},
	"join":  {"join(list, separator)", "One text of the texts in a list.", []kind{kindList, kindString}, 1, kindString, applyJoin},
	"string": {"string(x)", "A number, a boolean or a text as text.", []kind{kindAny}, 0, kindString, func(f *frame, made *code, a []value) value {
		text, ok := textOf(a[0])
		if !ok {
			f.mismatch(made, a[0], "a number, a boolean or a text")
		}
		f.take(made, len(text))
		return stringOf(text)
	}},
	"float": {"float(text)", "The number that a text is; unknown when it is none.", []kind{kindAny}, 0, kindNumber, applyFloat},
	"len":   {"len(x)", "How many elements a list has, or characters a text.", []kind{kindAny}, 0, kindNumber, applyLen},
	"mean": {"mean(list)", "The average; unknown for an empty list.", []kind{kindList}, 0, kindNumber, func(f *frame, made *code, a []value) value {
		return overNumbers(f, made, a[0], func(n []float64) float64 {
			total := 0.0
			for _, x := range n {
				total += x
			}
			return total / float64(len(n))
		})
	}},
	"median": {"median(list)", "The middle one; unknown for an empty list.", []kind{kindList}, 0, kindNumber, func(f *frame, made *code, a []value) value {
		return overNumbers(f, made, a[0], func(n []float64) float64 {
			slices.Sort(n)
			return (n[len(n)/2] + n[(len(n)-1)/2]) / 2
		})
	}},
}

func numbersOf(n int) []kind { return slices.Repeat([]kind{kindNumber}, n) }

func numeric(name, doc string, of func(float64) float64) *function {
	return &function{name + "(x)", doc, numbersOf(1), 0, kindNumber, func(_ *frame, _ *code, a []value) value { return numberOf(of(a[0].num)) }}
}

func textual(of func(string) string) func(*frame, *code, []value) value {
	return func(f *frame, made *code, a []value) value {
		// Some letters become longer in the other case.
		f.take(made, 3*len(a[0].text()))
		return stringOf(of(a[0].text()))
	}
}

func applySplit(f *frame, made *code, a []value) value {
	text, separator := a[0].text(), a[1].text()
	f.look(made, len(text))
	f.take(made, (strings.Count(text, separator)+1)*valueBytes)
	parts := strings.Split(text, separator)
	list := make([]value, len(parts))
	for i, p := range parts {
		list[i] = stringOf(p)
	}
	return listOf(list)
}

func applyJoin(f *frame, made *code, a []value) value {
	separator := ""
	if len(a) > 1 {
		separator = a[1].text()
	}
	items := f.list(a[0], made)
	texts := make([]string, len(items))
	for i, item := range items {
		switch item.kind {
		case kindString:
		case kindUnknown:
			return item
		default:
			f.mismatch(made, item, kindString.String())
		}
		f.take(made, len(item.text())+len(separator)+valueBytes)
		texts[i] = item.text()
	}
	return stringOf(strings.Join(texts, separator))
}

func textOf(v value) (string, bool) {
	switch v.kind {
	case kindString:
		return v.text(), true
	case kindBool:
		return strconv.FormatBool(v.bool()), true
	case kindNumber:
		return strconv.FormatFloat(v.num, 'f', -1, 64), true
	case kindTime:
		return v.time().Format(time.RFC3339), true
	case kindDuration:
		return v.duration().String(), true
	case kindUnknown, kindNil, kindQuantity, kindList, kindObject, kindMap, kindAny, kindBad:
	}
	return "", false
}

func applyFloat(f *frame, made *code, a []value) value {
	if a[0].kind == kindNumber {
		return a[0]
	}
	if a[0].kind != kindString {
		f.mismatch(made, a[0], "a text or a number")
	}
	f.look(made, len(a[0].text()))
	n, err := strconv.ParseFloat(a[0].text(), 64)
	if err != nil {
		return unknownOf(made.short, ReasonNotFinite)
	}
	return finite(n, made.short)
}

func applyLen(f *frame, made *code, a []value) value {
	switch v := a[0]; v.kind {
	case kindString:
		f.look(made, len(v.text()))
		return numberOf(float64(len([]rune(v.text()))))
	case kindList:
		return numberOf(float64(len(f.list(v, made))))
	case kindMap:
		return numberOf(float64(len(v.ref.(map[string]any))))
	default:
		f.mismatch(made, v, "a list or a text")
		return value{}
	}
}

// overNumbers calculates over a list of numbers; unknown when one of them is.
func overNumbers(f *frame, made *code, list value, of func([]float64) float64) value {
	items := f.list(list, made)
	f.take(made, 8*len(items))
	numbers := make([]float64, len(items))
	for i, item := range items {
		f.step(made, 1)
		switch item.kind {
		case kindNumber:
			numbers[i] = item.num
		case kindUnknown:
			return item
		default:
			f.mismatch(made, item, kindNumber.String())
		}
	}
	if len(numbers) == 0 {
		return unknownOf(made.short, ReasonMissing)
	}
	return finite(of(numbers), made.short)
}

// special are the functions that the compiler knows by name.
var special = map[string]struct{ signature, doc string }{
	"between":     {"between(x, lo, hi)", "Whether x lies from lo to hi, both included."},
	"min":         {"min(x, …)", "The least of some numbers, or of a list of them."},
	"max":         {"max(x, …)", "The greatest of some numbers, or of a list of them."},
	"first":       {"first(list)", "The first element; nil when there is none."},
	"last":        {"last(list)", "The last element; nil when there is none."},
	"reverse":     {"reverse(list)", "The list from its end."},
	"duration":    {"duration(\"5m\")", "A length of time."},
	"date":        {"date(\"2026-06-01T10:30:00Z\")", "A time, from RFC 3339."},
	"quantity":    {"quantity(v, unit)", "A number with its unit, which a parameter converts to its own."},
	"fresh":       {"fresh(state.x, \"5m\")", "Whether a field was observed within that long before the event."},
	"crossedUp":   {"crossedUp(state.x, v)", "Whether this event took a field from below v to v or above."},
	"crossedDown": {"crossedDown(state.x, v)", "Whether this event took a field from above v to v or below."},
	"inWindow":    {"inWindow(\"22:00\", \"06:00\")", "Whether the site's clock is in a window: from inclusive, to exclusive, over midnight too."},
	"sunrise":     {"sunrise()", "When the sun rises on the day of the event; unknown without the site's position."},
	"sunset":      {"sunset()", "When the sun sets on the day of the event; unknown without the site's position."},
}

// forbidden are functions of the grammar that are left out, with what to do instead.
var forbidden = map[string]string{
	"now": "now is a variable: write it without brackets", "timezone": "times are in the site's zone already",
	"reduce": "", "repeat": "", "replace": "", "groupBy": "", "toJSON": "", "keys": "", "values": "", "toPairs": "",
}

func lookUpFunction(name string) (signature string, ok bool) {
	if f, ok := functions[name]; ok {
		return f.signature, true
	}
	if s, ok := special[name]; ok {
		return s.signature, true
	}
	if p, ok := predicates[name]; ok {
		return p.signature, true
	}
	return "", false
}

func functionNames() []string {
	names := make([]string, 0, len(functions)+len(special)+len(predicates))
	for name := range functions {
		names = append(names, name)
	}
	for name := range special {
		names = append(names, name)
	}
	for name := range predicates {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// call compiles a call of any function.
func (c *compiler) call(n ast.Node, name string, args []ast.Node) *code {
	if p, ok := predicates[name]; ok {
		return c.predicateCall(n, name, p, args)
	}
	if fn, ok := functions[name]; ok {
		return c.plainCall(n, name, fn, args)
	}
	if s, ok := special[name]; ok {
		return c.specialCall(n, name, s.signature, args)
	}
	if hint, ok := forbidden[name]; ok {
		if hint == "" {
			hint = "it has no bound"
		}
		return c.wrong(n, "%s() is not part of the language of rules: %s", name, hint)
	}
	return c.wrong(n, "unknown function %s%s", name, suggest(name, functionNames()))
}

func (c *compiler) plainCall(n ast.Node, name string, fn *function, args []ast.Node) *code {
	if len(args) > len(fn.params) || len(args) < len(fn.params)-fn.optional {
		return c.wrong(n, "%s is called as %s", name, fn.signature)
	}
	operands := make([]*code, len(args))
	for i, a := range args {
		if operands[i] = c.typed(a, fn.params[i]); operands[i].typ.kind == kindBad {
			return c.bad(n)
		}
	}
	return strict(typ{kind: fn.result}, operands, fn.params, fn.apply)
}

// typed compiles an operand of a kind, or of any.
func (c *compiler) typed(n ast.Node, k kind) *code {
	if k == kindAny {
		return c.compile(n)
	}
	return c.operand(n, k)
}

// strict makes code of a function that is unknown when one of its operands is. An operand of kindAny is of any kind.
func strict(t typ, operands []*code, params []kind, apply func(*frame, *code, []value) value) *code {
	made := &code{typ: t}
	made.eval = func(f *frame) value {
		args := make([]value, 0, len(operands))
		known := true
		for i, o := range operands {
			var v value
			var ok bool
			if params[i] == kindAny {
				v, ok = f.known(o)
			} else {
				v, ok = f.want(o, params[i])
			}
			known = known && ok
			args = append(args, v)
		}
		if !known {
			return eitherOf(args...)
		}
		return apply(f, made, args)
	}
	return made
}

// unitOf reads a unit in quotes.
func (c *compiler) unitOf(n ast.Node) (busbar.Unit, bool) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		c.wrong(n, "the unit must be in quotes, as \"kw\"")
		return "", false
	}
	c.compile(s)
	u, err := busbar.ParseUnit(s.Value)
	if err != nil {
		c.wrong(n, "%v", err)
		return "", false
	}
	return u, true
}
