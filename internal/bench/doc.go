// Package bench measures a Busbar server from outside: it posts events to the public API, receives the webhooks in a sink of its
// own and reports latency, throughput, processor time, memory, losses and repeats.
package bench
