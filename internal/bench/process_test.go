package bench_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for the server: called as "dev …" it runs the fake API as a process that can be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "dev" {
		if err := fakeProcess(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func fakeProcess(args []string) error {
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	data := flags.String("data", "", "")
	addr := flags.String("addr", "", "")
	flags.String("temporal-addr", "", "")
	flags.String("temporal-ui-addr", "", "")
	flags.Bool("simulate", true, "")
	lose := flags.Int("lose-every", 0, "")
	refuseStart := flags.Bool("refuse-start", false, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *refuseStart {
		return errors.New("the fake refuses to start")
	}
	if err := os.MkdirAll(*data, 0o700); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	fake := newFake(os.Getenv("BUSBAR_SANDBOX_KEY"), fakeFaults{loseEvery: *lose})
	if err := fake.resume(ctx, filepath.Join(*data, "journal")); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: fake.handler(ctx), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		fake.write("tidied")
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	fake.running.Wait()
	return nil
}
