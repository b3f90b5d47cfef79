package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: USER_HZ is 100 on every architecture Go runs Linux on (proc(5)).
const tick = 10 * time.Millisecond

// Memory is a process's resident set in bytes, as /proc/PID/status says.
type Memory struct {
	// Current is VmRSS.
	Current int64 `json:"rssBytes"`
	// Peak is VmHWM, the highest since the process started.
	Peak int64 `json:"peakRssBytes"`
}

// processorTime returns user and system time of all threads of a process, to the hundredth of a second.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	return parseStat(text)
}

// parseStat reads fields 14 and 15 of /proc/PID/stat. The second field, the program's name in parentheses, may hold anything.
func parseStat(text []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[end+1:]))
	if end < 0 || len(fields) < 13 {
		return 0, errors.New("parse processor time: too few fields")
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("parse processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

func memory(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("read memory: %w", err)
	}
	return parseStatus(string(text))
}

func parseStatus(text string) (Memory, error) {
	var m Memory
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		var into *int64
		switch name {
		case "VmRSS":
			into = &m.Current
		case "VmHWM":
			into = &m.Peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("parse memory: %w", err)
		}
		*into = kib << 10
	}
	if m.Current == 0 || m.Peak == 0 {
		return Memory{}, errors.New("parse memory: VmRSS or VmHWM is missing")
	}
	return m, nil
}

// Machine is what the figures were measured on. Texts are empty where the system does not tell.
type Machine struct {
	Cores     int    `json:"cores"`
	Processor string `json:"processor,omitempty"`
	System    string `json:"system"`
	Kernel    string `json:"kernel,omitempty"`
	Go        string `json:"go"`
	// Load is the load average of the last minute, at the start: figures of a machine that was busy with other things are not
	// worth much.
	Load string `json:"loadAverage,omitempty"`
	// FileSystem is the one that holds the data directory of a started server; tmpfs makes synchronous writes free.
	FileSystem string `json:"fileSystem,omitempty"`
}

func thisMachine(dataDir string) Machine {
	m := Machine{
		Cores:  runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH,
		Go:     runtime.Version(),
	}
	m.Kernel = firstField("/proc/sys/kernel/osrelease")
	m.Load = firstField("/proc/loadavg")
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				m.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/mounts"); err == nil && dataDir != "" {
		m.FileSystem = fileSystem(string(text), dataDir)
	}
	return m
}

func firstField(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	field, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	return field
}

// fileSystem returns the type of the deepest mount that holds dir; a later mount of the same place hides an earlier one.
func fileSystem(mounts, dir string) string {
	kind, depth := "", -1
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		point := strings.TrimSuffix(fields[1], "/")
		if (dir == point || strings.HasPrefix(dir, point+"/")) && len(point) >= depth {
			kind, depth = fields[2], len(point)
		}
	}
	return kind
}
