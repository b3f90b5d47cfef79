package temporal_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/internal/temporal"
)

func options(addr string) temporal.Options {
	return temporal.Options{Addr: addr, Namespace: "default", Logger: slog.New(slog.DiscardHandler)}
}

func TestDialNamesTheAddress(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	c, err := temporal.Dial(ctx, options(addr))
	if err == nil {
		c.Close()
		t.Fatal("Dial to a closed port succeeded")
	}
	if got, want := err.Error(), "cannot reach Temporal at "+addr+": "; !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
		t.Errorf("got %q, want one line beginning %q", got, want)
	}
}

func TestNewLazyDoesNotConnect(t *testing.T) {
	t.Parallel()
	c, err := temporal.NewLazy(options("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notPEM := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(notPEM, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*temporal.Options)
		want   string
	}{
		"no address":     {func(o *temporal.Options) { o.Addr = "" }, "address is empty"},
		"no namespace":   {func(o *temporal.Options) { o.Namespace = "" }, "namespace is empty"},
		"no logger":      {func(o *temporal.Options) { o.Logger = nil }, "logger is missing"},
		"half a pair":    {func(o *temporal.Options) { o.TLSCert = "cert.pem" }, "both its certificate and its key"},
		"missing pair":   {func(o *temporal.Options) { o.TLSCert, o.TLSKey = dir+"/c", dir+"/k" }, "load client certificate"},
		"missing CA":     {func(o *temporal.Options) { o.TLSCA = filepath.Join(dir, "absent") }, "read certificate authorities"},
		"CA without PEM": {func(o *temporal.Options) { o.TLSCA = notPEM }, "no certificate in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options("127.0.0.1:1")
			test.change(&opts)
			c, err := temporal.NewLazy(opts)
			if err == nil {
				c.Close()
				t.Fatal("NewLazy succeeded")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want it to have %q", err, test.want)
			}
		})
	}
}
