package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"busbar"
	"busbar/rules"
)

type rulesCmd struct {
	Check  rulesCheckCmd  `cmd:"" help:"Check rules in files, without a server: what they say, and against what devices report and can do."`
	Test   rulesTestCmd   `cmd:"" help:"Check rules in files and run the tests that they carry."`
	Apply  rulesApplyCmd  `cmd:"" help:"Make the rules of a server say what files do. A file that has not changed makes no new version."`
	Export rulesExportCmd `cmd:"" help:"Write rules of a server as files: those that were applied word by word, others in canonical YAML."`
}

type rulesCheckCmd struct{ ruleFiles }

type rulesTestCmd struct{ ruleFiles }

// ruleFiles are read one after the other; a problem in one keeps none of the others from being looked at.
type ruleFiles struct {
	Files []string `arg:"" name:"file" help:"Rules as YAML, or as JSON when the name ends in .json; one a file."`
}

// Run checks the files.
func (c *rulesCheckCmd) Run(e env) error { return c.each(e.stdout, false) }

// Run checks the files and runs their tests.
func (c *rulesTestCmd) Run(e env) error { return c.each(e.stdout, true) }

// each looks at all files and prints a line for each problem.
func (f *ruleFiles) each(w io.Writer, test bool) error {
	problems := 0
	for _, name := range f.Files {
		lines, passed, err := lookAt(name, test)
		if err != nil {
			lines = append(lines, oneLine(err))
		}
		for _, line := range lines {
			fmt.Fprintf(w, "%s: %s\n", name, line)
		}
		if passed == "" {
			problems++
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", name, passed)
	}
	return problemFiles(problems, "has problems", "have problems")
}

// problemFiles is an error about some files; nil when there are none.
func problemFiles(n int, one, more string) error {
	switch n {
	case 0:
		return nil
	case 1:
		return errors.New("1 file " + one)
	}
	return fmt.Errorf("%d files %s", n, more)
}

// lookAt gives the problems of a file, and what is said of it when it has none but warnings.
func lookAt(name string, test bool) (lines []string, passed string, err error) {
	rule, err := readRule(name)
	if err != nil {
		return fieldLines(err)
	}
	compiled, diagnostics := rules.Check(rule)
	for _, d := range diagnostics {
		lines = append(lines, diagnosticLine(d))
	}
	if compiled == nil {
		return lines, "", nil
	}
	if !test {
		return lines, "ok", nil
	}
	results, failed := compiled.RunTests(), false
	for _, r := range results {
		if r.Passed {
			continue
		}
		failed = true
		lines = append(lines, fmt.Sprintf("test %q: %s; what happened: %s", r.Name, r.Problem, strings.Join(r.Log, ", ")))
	}
	if failed {
		return lines, "", nil
	}
	return lines, fmt.Sprintf("ok, tests passed: %d", len(results)), nil
}

func readRule(name string) (*rules.Rule, error) {
	text, err := readText(name)
	if err != nil {
		return nil, err
	}
	return parseRule(name, text)
}

// readText reads a file, and not much more than a rule may have.
func readText(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer func() { _ = file.Close() }() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, rules.MaxRuleBytes+1))
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	return text, nil
}

func parseRule(name string, text []byte) (*rules.Rule, error) {
	if isJSON(name) {
		return rules.ParseJSON(text)
	}
	return rules.ParseYAML(text)
}

func isJSON(name string) bool { return strings.HasSuffix(name, ".json") }

// fieldLines makes a line of each field that an error is about.
func fieldLines(err error) (lines []string, passed string, rest error) {
	e, ok := errors.AsType[*busbar.Error](err)
	if !ok {
		return nil, "", err
	}
	if len(e.Fields) == 0 {
		return nil, "", errors.New(e.Message)
	}
	for _, f := range e.Fields {
		lines = append(lines, f.Path+": "+f.Message)
	}
	return lines, "", nil
}

func diagnosticLine(d rules.Diagnostic) string {
	place := d.Field
	if d.To > 0 {
		place = fmt.Sprintf("%s [%d:%d]", d.Field, d.From, d.To)
	}
	if d.Severity == rules.SeverityWarning {
		return place + ": warning: " + d.Message
	}
	return place + ": " + d.Message
}
