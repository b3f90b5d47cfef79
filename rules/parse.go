package rules

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// parse reads an expression. What the bounds forbid is refused before the parser sees it: it goes down a level for each
// bracket, and five million of them would end the process.
func parse(source string) (node ast.Node, problem *Diagnostic) {
	if problem := precheck(source); problem != nil {
		return nil, problem
	}
	defer func() {
		// The parser is fed by strangers; a defect of it must be an error of one expression.
		if r := recover(); r != nil {
			node, problem = nil, &Diagnostic{Severity: SeverityError, Message: "this cannot be read"}
		}
	}()
	tree, err := parser.Parse(source)
	if err == nil {
		return tree.Node, nil
	}
	problem = &Diagnostic{Severity: SeverityError, Message: err.Error()}
	if e, ok := errors.AsType[*file.Error](err); ok {
		length := utf8.RuneCountInString(source)
		problem.From, problem.To = min(e.From, length), min(max(e.To, e.From+1), length)
		problem.Message = parseMessage(e.Message)
	}
	return nil, problem
}

// precheck holds the bounds of text: its length, its nesting.
func precheck(source string) *Diagnostic {
	refuse := func(at int, format string, args ...any) *Diagnostic {
		return &Diagnostic{Severity: SeverityError, Message: fmt.Sprintf(format, args...), From: at, To: at + min(at, 1)}
	}
	switch {
	case len(source) > MaxSourceBytes:
		return refuse(0, "the expression has %d bytes; the limit of source is %d", len(source), MaxSourceBytes)
	case !utf8.ValidString(source):
		return refuse(0, "the expression is not valid UTF-8")
	case strings.TrimSpace(source) == "":
		return refuse(0, "the expression is empty")
	}
	depth, at := 0, 0
	for _, r := range source {
		switch r {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case 0:
			return refuse(at, "the expression has a zero byte")
		}
		if depth > MaxNesting {
			return refuse(at, "brackets nest deeper than the limit of nesting, %d", MaxNesting)
		}
		at++
	}
	return nil
}

// parseMessage says in words what the parser says in its own terms.
func parseMessage(message string) string {
	if rest, ok := strings.CutPrefix(message, "unexpected token "); ok {
		if rest == "EOF" {
			return "the expression ends too early"
		}
		if kind, quoted, ok := strings.Cut(rest, "("); ok {
			quoted = strings.TrimSuffix(quoted, ")")
			hint := ""
			if kind == "Operator" && quoted == `"="` {
				hint = "; to compare, write =="
			}
			return "unexpected " + quoted + hint
		}
		return "unexpected " + rest
	}
	return message
}
