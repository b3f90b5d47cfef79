// Package simulator connects a simulated home to a Busbar as any gateway would be: over the public API, from outside.
//
// It needs a base URL and an API key, and no port of its own: it asks for commands, carries each out once, and reports
// results and readings.
package simulator
