package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// stopTime is what a process that was asked to end may take, as promised.
const stopTime = 10 * time.Second

// process is one run of a program.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	// exited is closed when it has ended; code is its exit code then, -1 after a signal.
	exited chan struct{}
	code   int
	// expected: the test has asked for the end, or waits for it.
	expected atomic.Bool
}

// launch starts a program of TestMain's. Of the environment it gets only what is given. It is killed when the test
// ends, and its output shown when the test has failed.
func launch(t *testing.T, program string, args, env []string) *process {
	t.Helper()
	if err := sources(); err != nil {
		t.Fatal(err)
	}
	p := &process{exited: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(binaries, program), args...) //nolint:noctx // TestMain has built it; the cleanup ends it
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.Getenv("TMPDIR")}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = childAttributes()
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // the exit code says it
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		if p.ended() && !p.expected.Load() {
			t.Errorf("%s has ended, though nobody asked for it", program)
		}
		p.kill(t)
		if t.Failed() {
			t.Logf("%s %s, %s\n%s%s", program, strings.Join(args, " "), p.cmd.ProcessState, p.stdout.tail(), p.stderr.tail())
		}
	})
	return p
}

// kill ends the process as a crash does, if it still runs, and waits for its end.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.expected.Store(true)
	_ = p.cmd.Process.Kill() // it fails only when the process has ended
	<-p.exited
}

// stop asks the process to end in order and returns its exit code. It fails the test after stopTime.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	p.expected.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stop process: %v", err)
	}
	return p.wait(t, stopTime)
}

// wait returns the exit code. It fails the test when the process does not end in time.
func (p *process) wait(t *testing.T, most time.Duration) int {
	t.Helper()
	p.expected.Store(true)
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	select {
	case <-p.exited:
		return p.code
	case <-deadline.C:
		t.Fatalf("%s still runs after %s", filepath.Base(p.cmd.Path), most)
		return 0
	}
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// mostOutput is far more than any test has a process write.
const mostOutput = 64 << 20

// Write keeps the text, up to a bound.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() < mostOutput {
		o.text.Write(p)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tail is the end of the text, where the reason of a failure stands.
func (o *output) tail() string {
	const most = 8 << 10
	text := o.String()
	return text[max(0, len(text)-most):]
}
