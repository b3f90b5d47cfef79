package rules

import (
	"fmt"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"busbar"
)

// code is a part of an expression, ready to be evaluated.
type code struct {
	eval func(f *frame) value
	typ  typ
	// text is its source, short the beginning of that for messages, from and to where it is, in characters.
	text     string
	short    string
	from, to int
	// constant is its value when that is in the source.
	constant *value
	// operands are set of comparisons that are clauses of a condition.
	operands []*code
}

// compiler makes code of an expression. It goes on after a mistake, so that all of them are shown at once.
type compiler struct {
	runes  []rune
	field  string
	root   *object
	locals []local
	// elems are the elements that enclosing predicates are about, the innermost last.
	elems []typ
	// memo holds what was compiled: in a < b < c the parser gives b to both comparisons, and without it a nest of those
	// would be compiled exponentially often.
	memo map[ast.Node]*code
	// full: the limit of nodes was reached, and said.
	full  bool
	reads []reading
	diags []Diagnostic
}

type local struct {
	name string
	typ  typ
}

// program is an expression that compiled, with the parts of it that explain what it gives.
type program struct {
	*code
	clauses []*code
	// reads are the fields that it looks at, demands the comparisons that all must hold.
	reads   []reading
	demands []relation
}

// reading is a field of devices' states that an expression looks at. The family is empty when it may be of any.
type reading struct {
	family busbar.Family
	field  string
}

// compile makes a program of a source with the names of an object. It is nil when there is an error among the
// diagnostics.
func compile(field, source string, root *object) (*program, []Diagnostic) {
	node, problem := parse(source)
	if problem != nil {
		problem.Field = field
		return nil, []Diagnostic{*problem}
	}
	c := &compiler{runes: []rune(source), field: field, root: root, memo: make(map[ast.Node]*code)}
	compiled := c.compile(node)
	if len(Errors(c.diags)) > 0 {
		return nil, c.diags
	}
	p := &program{code: compiled, clauses: c.clausesOf(node), reads: c.reads}
	for _, part := range conjuncts(node) {
		if r, ok := c.relationOf(part); ok {
			p.demands = append(p.demands, r)
		}
	}
	return p, c.diags
}

// compileAs compiles what must give a value of a kind.
func compileAs(field, source string, root *object, k kind) (*program, []Diagnostic) {
	compiled, diagnostics := compile(field, source, root)
	if compiled == nil || compiled.typ.could(k) {
		return compiled, diagnostics
	}
	return nil, append(diagnostics, Diagnostic{
		Field: field, Severity: SeverityError, From: compiled.from, To: compiled.to,
		Message: fmt.Sprintf("this gives %s, where %s is needed", compiled.typ, k),
	})
}

func (c *compiler) report(severity Severity, from, to int, format string, args ...any) {
	d := Diagnostic{Field: c.field, Severity: severity, Message: fmt.Sprintf(format, args...), From: from, To: to}
	if !slices.Contains(c.diags, d) {
		c.diags = append(c.diags, d)
	}
}

// wrong reports an error about a node, and gives code that nothing further is said about.
func (c *compiler) wrong(n ast.Node, format string, args ...any) *code {
	loc := n.Location()
	c.report(SeverityError, loc.From, loc.To, format, args...)
	return c.bad(n)
}

func (c *compiler) bad(n ast.Node) *code {
	loc := n.Location()
	return &code{typ: typ{kind: kindBad}, from: loc.From, to: loc.To, eval: func(*frame) value { return value{} }}
}

// compile makes code of a node, once.
func (c *compiler) compile(n ast.Node) *code {
	if known, ok := c.memo[n]; ok {
		return known
	}
	if len(c.memo) >= MaxNodes {
		if !c.full {
			c.full = true
			return c.wrong(n, "the expression has more nodes than the limit of nodes, %d", MaxNodes)
		}
		return c.bad(n)
	}
	// The node has its place in the count before its parts have theirs.
	c.memo[n] = c.bad(n)
	compiled := c.dispatch(n)
	c.place(compiled, n)
	c.memo[n] = compiled
	if compiled.typ.kind == kindBad {
		return compiled
	}
	inner := compiled.eval
	compiled.eval = func(f *frame) value {
		f.step(compiled, 1)
		return inner(f)
	}
	return compiled
}

func (c *compiler) dispatch(n ast.Node) *code {
	switch n := n.(type) {
	case *ast.NilNode:
		return constant(typ{kind: kindNil}, value{kind: kindNil})
	case *ast.BoolNode:
		return constant(typ{kind: kindBool}, boolOf(n.Value))
	case *ast.IntegerNode:
		return constant(typ{kind: kindNumber}, numberOf(float64(n.Value)))
	case *ast.FloatNode:
		if math.IsInf(n.Value, 0) || math.IsNaN(n.Value) {
			return c.wrong(n, "this number is too large")
		}
		return constant(typ{kind: kindNumber}, numberOf(n.Value))
	case *ast.StringNode:
		return constant(typ{kind: kindString}, stringOf(n.Value))
	case *ast.IdentifierNode:
		return c.identifier(n)
	case *ast.PointerNode:
		return c.pointer(n)
	case *ast.ChainNode:
		inner := *c.compile(n.Node)
		return &inner
	case *ast.MemberNode:
		return c.memberOf(n)
	case *ast.SliceNode:
		return c.slice(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.VariableDeclaratorNode:
		return c.declaration(n)
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.call(n, callee.Value, n.Arguments)
		}
		return c.method(n)
	case *ast.SequenceNode:
		return c.wrong(n.Nodes[1], "there is one expression; join conditions by and")
	default:
		return c.wrong(n, "this is not part of the language of rules")
	}
}

func constant(t typ, v value) *code {
	return &code{typ: t, constant: &v, eval: func(*frame) value { return v }}
}

// place finds the source of a node: from its first to its last token, and the brackets that belong to them.
func (c *compiler) place(compiled *code, n ast.Node) {
	loc := n.Location()
	compiled.from, compiled.to = loc.From, loc.To
	for _, part := range parts(n) {
		if known, ok := c.memo[part]; ok {
			compiled.from, compiled.to = min(compiled.from, known.from), max(compiled.to, known.to)
		}
	}
	compiled.from, compiled.to = c.balance(compiled.from, compiled.to)
	compiled.text = string(c.runes[compiled.from:compiled.to])
	compiled.short = clip(compiled.text)
}

// parts are what a node was made of and what was compiled.
func parts(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.SliceNode:
		return []ast.Node{n.Node, n.From, n.To}
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.VariableDeclaratorNode:
		return []ast.Node{n.Value, n.Expr}
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.BuiltinNode:
		return unwrap(n.Arguments)
	case *ast.CallNode:
		return unwrap(n.Arguments)
	}
	return nil
}

// unwrap gives the bodies of predicates instead of the predicates.
func unwrap(args []ast.Node) []ast.Node {
	bodies := make([]ast.Node, len(args))
	for i, a := range args {
		if p, ok := a.(*ast.PredicateNode); ok {
			a = p.Node
		}
		bodies[i] = a
	}
	return bodies
}

// balance widens a part of the source until each bracket in it has its partner. Offsets that the parser gave wrongly
// are put right first.
func (c *compiler) balance(from, to int) (begin, end int) {
	from = max(0, min(from, len(c.runes)))
	to = max(from, min(to, len(c.runes)))
	open, unopened := 0, 0
	quote := rune(0)
	for i := from; i < to; i++ {
		r := c.runes[i]
		switch {
		case quote != 0:
			if r == '\\' && quote != '`' {
				i++
			} else if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'' || r == '`':
			quote = r
		case r == '(' || r == '[' || r == '{':
			open++
		case r == ')' || r == ']' || r == '}':
			if open > 0 {
				open--
			} else {
				unopened++
			}
		}
	}
	for ; open > 0 && to < len(c.runes); to++ {
		switch c.runes[to] {
		case ')', ']', '}':
			open--
		case '(', '[', '{':
			open++
		}
	}
	for ; unopened > 0 && from > 0; from-- {
		switch c.runes[from-1] {
		case '(', '[', '{':
			unopened--
		case ')', ']', '}':
			unopened++
		}
	}
	return from, to
}
