package rules

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// maxPatternParts bounds a regular expression with its repetitions written out: x{1000} has a thousand.
const maxPatternParts = 1000

func (c *compiler) textual(n *ast.BinaryNode) *code {
	left, right := c.operand(n.Left, kindString), c.operand(n.Right, kindString)
	if left.typ.kind == kindBad || right.typ.kind == kindBad {
		return c.bad(n)
	}
	test := map[string]func(s, part string) bool{
		"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
	}[n.Operator]
	made := &code{typ: typ{kind: kindBool}}
	made.eval = func(f *frame) value {
		l, lok := f.want(left, kindString)
		r, rok := f.want(right, kindString)
		if !lok || !rok {
			return either(l, r)
		}
		f.look(made, len(l.text())+len(r.text()))
		return boolOf(test(l.text(), r.text()))
	}
	return made
}

// matches takes a regular expression of the source only, so that it is compiled once and its size is bounded.
func (c *compiler) matches(n *ast.BinaryNode) *code {
	left := c.operand(n.Left, kindString)
	pattern, ok := n.Right.(*ast.StringNode)
	if left.typ.kind == kindBad {
		return c.bad(n)
	}
	if !ok {
		return c.wrong(n, "matches needs a regular expression in quotes on its right")
	}
	if len(pattern.Value) > MaxPattern {
		return c.wrong(pattern, "the regular expression has %d bytes; the limit is %d", len(pattern.Value), MaxPattern)
	}
	compiled, parts, err := compilePattern(pattern.Value)
	if err != nil {
		return c.wrong(pattern, "this is no regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if parts > maxPatternParts {
		return c.wrong(pattern, "the regular expression has %d parts when its repetitions are written out; the limit is %d", parts, maxPatternParts)
	}
	c.compile(pattern)
	made := &code{typ: typ{kind: kindBool}}
	made.eval = func(f *frame) value {
		l, ok := f.want(left, kindString)
		if !ok {
			return l
		}
		// A match looks at each byte in up to as many ways as the pattern has parts, which is dearer than reading it.
		f.look(made, len(l.text())*parts*4)
		return boolOf(compiled.MatchString(l.text()))
	}
	return made
}

// compilePattern makes a regular expression and counts its parts.
func compilePattern(pattern string) (compiled *regexp.Regexp, parts int, err error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, 0, err //nolint:wrapcheck // it becomes a message for people
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, 0, fmt.Errorf("compile regular expression: %w", err)
	}
	if len(program.Inst) > maxPatternParts {
		return nil, len(program.Inst), nil
	}
	compiled, err = regexp.Compile(pattern)
	return compiled, len(program.Inst), err //nolint:wrapcheck // it becomes a message for people
}
