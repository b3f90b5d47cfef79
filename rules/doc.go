// Package rules turns a rule's text into a checked, bounded program, and decides with it. It is pure: no database, no
// clock, no network; the same rule, snapshot and event give the same decision, live, in a back-test and in a rule's own
// tests.
//
// The grammar is that of github.com/expr-lang/expr, which parses. Types, meaning and bounds are this package's: a third
// value, unknown, goes through every operator, and every step and byte is counted.
package rules
