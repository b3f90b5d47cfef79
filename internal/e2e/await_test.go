package e2e_test

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait. A wait that needs it all is a defect; a busy machine needs some of it.
const patience = 90 * time.Second

// await returns when done says so. It is for what can only be asked after; what the sink sees is waited for there.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	again := time.NewTicker(25 * time.Millisecond)
	defer again.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("timed out waiting for %s", what)
		case <-t.Context().Done():
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}

// Ports come from below the ranges from which systems, and the embedded server for its inner services, choose: a process that is
// down finds its own free again.
const (
	firstPort = 12000
	portRange = 8000
	// pidStep keeps test runs that follow each other from asking for the same ports.
	pidStep = 97
)

var nextPort atomic.Int64

// address returns a loopback address that nobody listens on and that no other call returns.
func address(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	for range portRange {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+(nextPort.Add(1)+int64(os.Getpid())*pidStep)%portRange)
		l, err := lc.Listen(t.Context(), "tcp", addr)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return addr
	}
	t.Fatal("no loopback port is free")
	return ""
}
