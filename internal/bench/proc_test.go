package bench_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

func TestProcessorTimeIsReadAfterTheName(t *testing.T) {
	t.Parallel()
	const fields = " S 1 2 2 0 -1 4194304 900 0 7 0 250 31 0 0 20 0 9 0 123456 1000000 200 18446744073709551615"
	for _, name := range []string{"(busbar)", "(a ) 1 2 3 (b)", "()"} {
		got, err := bench.ParseStat([]byte("42 " + name + fields + "\n"))
		if err != nil || got != 2810*time.Millisecond {
			t.Errorf("%s: %s, %v, want 2.81s", name, got, err)
		}
	}
	for _, text := range []string{"", "42 (busbar", "42 (busbar) S 1 2", "42 (x) S 1 2 2 0 -1 4194304 900 0 7 0 a b 0 0"} {
		if got, err := bench.ParseStat([]byte(text)); err == nil {
			t.Errorf("%q gave %s", text, got)
		}
	}
}

func TestMemoryIsReadInBytes(t *testing.T) {
	t.Parallel()
	got, err := bench.ParseStatus("Name:\tbusbar\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\nThreads:\t9\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bench.Memory{Current: 200 << 10, Peak: 300 << 10}, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", "VmRSS:\t 5 kB\n", "VmHWM:\t x kB\nVmRSS:\t 5 kB\n"} {
		if got, err := bench.ParseStatus(text); err == nil {
			t.Errorf("%q gave %+v", text, got)
		}
	}
}

func TestFileSystemIsTheDeepestMount(t *testing.T) {
	t.Parallel()
	const mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/deep xfs rw 0 0\n/dev/c /data ext3 rw 0 0\n/dev/d /data btrfs rw 0 0\n"
	for dir, want := range map[string]string{
		"/": "ext4", "/var": "ext4", "/tmp": "tmpfs", "/tmp/x": "tmpfs", "/tmpx": "ext4", "/tmp/deep/er": "xfs", "/data/1": "btrfs",
	} {
		if got := bench.FileSystem(mounts, dir); got != want {
			t.Errorf("%s is on %s, want %s", dir, got, want)
		}
	}
}
