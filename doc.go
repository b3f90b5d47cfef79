// Package busbar holds the domain: events, event types, endpoints, deliveries, attempts, sites, devices, actions, API keys, and the one error
// type that every layer speaks. It imports nothing else of this module and no database, HTTP or Temporal package.
package busbar
