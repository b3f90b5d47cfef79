package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	readyPoll = 10 * time.Millisecond
	// stopTimeout is longer than the 10 s in which the server promises to shut down.
	stopTimeout = 15 * time.Second
	maxTail     = 8 << 10
)

// server is a "dev" process on a data directory of its own. Its methods are for one goroutine.
type server struct {
	executable string
	args       []string
	env        []string
	dir        string
	base       string
	key        string

	cmd    *exec.Cmd
	exited chan struct{}
	output *tail
}

// newServer makes the data directory and chooses addresses; start runs it, remove ends it.
func newServer(cfg Config) (*server, error) {
	executable := cfg.Executable
	if executable == "" {
		var err error
		if executable, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find own executable: %w", err)
		}
	}
	executable, err := filepath.Abs(executable)
	if err != nil {
		return nil, fmt.Errorf("resolve executable: %w", err)
	}
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cfg.Dir, "busbar-bench-")
	if err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("resolve data directory: %w", err)
	}
	s := &server{
		executable: executable,
		args: append([]string{
			"dev", "--data", filepath.Join(dir, "data"), "--addr", addresses[0], "--temporal-addr", addresses[1],
			"--temporal-ui-addr", "off", "--simulate=false",
		}, cfg.ServerArgs...),
		dir:  dir,
		base: "http://" + addresses[0],
		key:  "sk_test_" + rand.Text(),
	}
	s.env = append(foreign(os.Environ()), "BUSBAR_SANDBOX_KEY="+s.key)
	return s, nil
}

// foreign drops Busbar's own variables: a benchmark must not find the way to a database that someone uses.
func foreign(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, "BUSBAR_") })
}

// freeAddresses asks the system for loopback ports that nobody listens on.
func freeAddresses(n int) ([]string, error) {
	addresses := make([]string, 0, n)
	listeners := make([]net.Listener, 0, n)
	defer func() { // held until all are chosen, so that they differ
		for _, listener := range listeners {
			listener.Close()
		}
	}()
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		listeners = append(listeners, listener)
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// start runs the process and returns when it is ready, with the time that took. After an error it is not running.
func (s *server) start(ctx context.Context, timeout time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	s.output = &tail{}
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.executable, s.args...) //nolint:gosec // the operator's own program
	s.cmd.Env = s.env
	s.cmd.Dir = s.dir
	s.cmd.Stdout = s.output
	s.cmd.Stderr = s.output
	s.cmd.SysProcAttr = childAttributes()
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		return 0, fmt.Errorf("start server: %w", err)
	}
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan<- struct{}) {
		_ = cmd.Wait() //nolint:errcheck // how it ended is of no interest: it is killed, or its output tells
		close(exited)
	}(s.cmd, s.exited)
	if err := s.awaitReady(ctx); err != nil {
		s.kill()
		return 0, fmt.Errorf("start server: %w; its last words:\n%s", err, s.output)
	}
	return time.Since(began), nil
}

func (s *server) awaitReady(ctx context.Context) error {
	c := newClient(s.base, s.key, time.Second)
	defer c.close()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		if c.ready(ctx) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-s.exited:
			return errors.New("it ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
}

func (s *server) pid() int {
	return s.cmd.Process.Pid
}

// running reports whether the process lives.
func (s *server) running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// kill ends the process without a chance to tidy up, as a crash does, and waits for its end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() //nolint:errcheck // it fails only when the process has ended
	<-s.exited
}

// remove ends the process in order, or by force when it takes too long, and deletes its data.
func (s *server) remove() error {
	if s.cmd != nil && s.cmd.Process != nil {
		s.stop()
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove data directory: %w", err)
	}
	return nil
}

func (s *server) stop() {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.kill()
		return
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-timer.C:
		s.kill()
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - maxTail; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
