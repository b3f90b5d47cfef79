// Package e2e tries the built program from outside: its processes are started, killed and started again, and what
// clients, subscribers and operators are promised is checked over HTTP, on disk and in Temporal.
//
// The tests build the ordinary binary themselves and need PostgreSQL on the machine. Two flags change what they do:
//
//	go test ./internal/e2e -run TestTemporalAway -away 10m
//	    Temporal is away for this long instead of a minute.
//	go test ./internal/e2e -run TestWriteHistories -write-histories
//	    The histories in workflows/testdata are made anew. Without the flag those of a fresh run have to replay, and the
//	    kept ones have to be complete.
package e2e
