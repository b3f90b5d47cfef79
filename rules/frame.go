package rules

import (
	"fmt"
	"slices"
	"sync"
)

// frame is one evaluation of an expression.
type frame struct {
	in *Input
	// steps and memory are what is left of the bounds.
	steps, memory int
	locals        []value
	elems         []element
	// leftOut are the elements of lists about which something was not known.
	leftOut []Unknown
}

// element is what a predicate is about, and its place in its list.
type element struct {
	value value
	index int
}

// valueBytes is what a value costs of the memory.
const valueBytes = 48

// bytesPerStep is how much text an operation may search for the price of one step, bytesPerCopy how much it may copy.
const (
	bytesPerStep = 64
	bytesPerCopy = 1024
)

// abort carries an EvaluationError to where the evaluation began; nothing else may be thrown.
type abort struct{ err *EvaluationError }

func (f *frame) step(c *code, n int) {
	if f.steps -= n; f.steps < 0 {
		panic(abort{&EvaluationError{Limit: "steps", At: c.short, Message: "the limit of steps was reached here"}})
	}
}

// look pays for reading a text.
func (f *frame) look(c *code, bytes int) { f.step(c, bytes/bytesPerStep) }

// take pays for making something.
func (f *frame) take(c *code, bytes int) {
	if f.memory -= bytes; f.memory < 0 {
		panic(abort{&EvaluationError{Limit: "memory", At: c.short, Message: "the limit of memory, 16 MiB, was reached here"}})
	}
	f.step(c, bytes/bytesPerCopy)
}

// mismatch ends the evaluation because of a value of another kind than the source could promise.
func (f *frame) mismatch(c *code, got value, want string) {
	panic(abort{&EvaluationError{At: c.short, Message: fmt.Sprintf("is %s, where %s is needed", got.kind, want)}})
}

// incomparable ends the evaluation because two values have no order between them.
func (f *frame) incomparable(c *code, a, b value) {
	panic(abort{&EvaluationError{At: c.short, Message: fmt.Sprintf("%s and %s cannot be compared", a.kind, b.kind)}})
}

const maxClip = 80

// clip keeps messages short.
func clip(source string) string {
	runes := []rune(source)
	if len(runes) <= maxClip {
		return source
	}
	return string(runes[:maxClip]) + "…"
}

// leave records that an element was left out of a list because something about it is not known.
func (f *frame) leave(u []Unknown) {
	for _, one := range u {
		if len(f.leftOut) >= maxUnknowns {
			return
		}
		if !slices.Contains(f.leftOut, one) {
			f.leftOut = append(f.leftOut, one)
		}
	}
}

// result is what an evaluation gave.
type result struct {
	value   value
	leftOut []Unknown
	err     *EvaluationError
}

// frames are used again: at one event a thousand conditions may be evaluated, each in several parts.
var frames = sync.Pool{New: func() any { return new(frame) }}

// run evaluates code against an input with so many steps.
func (c *code) run(in *Input, steps int) (r result) {
	f := frames.Get().(*frame) //nolint:forcetypeassert // New gives nothing else
	f.in, f.steps, f.memory = in, steps, MaxMemory
	defer func() {
		if thrown := recover(); thrown != nil {
			a, ok := thrown.(abort)
			if !ok {
				panic(thrown)
			}
			r = result{err: a.err}
		}
		r.leftOut = f.leftOut
		f.release()
	}()
	r.value = c.eval(f)
	return r
}

// release lets go of all that an evaluation has seen.
func (f *frame) release() {
	clear(f.locals[:cap(f.locals)])
	clear(f.elems[:cap(f.elems)])
	*f = frame{locals: f.locals[:0], elems: f.elems[:0]}
	frames.Put(f)
}

// number evaluates an operand that must be a number; ok is false when it is not known, and v then says why.
func (f *frame) number(c *code) (v value, ok bool) { return f.want(c, kindNumber) }

// want evaluates an operand that must be of a kind.
func (f *frame) want(c *code, k kind) (v value, ok bool) {
	v = c.eval(f)
	switch v.kind {
	case k:
		return v, true
	case kindUnknown:
		return v, false
	case kindNil:
		return unknownOf(c.short, ReasonNull), false
	default:
		f.mismatch(c, v, k.String())
		return v, false
	}
}

// known evaluates an operand and gives null as unknown.
func (f *frame) known(c *code) (v value, ok bool) {
	v = c.eval(f)
	if v.kind == kindNil {
		return unknownOf(c.short, ReasonNull), false
	}
	return v, v.kind != kindUnknown
}
