// Package temporal is how Busbar talks to a Temporal cluster: connecting, preparing the namespace, search attributes,
// encrypted payloads and links into Temporal's web UI.
package temporal
