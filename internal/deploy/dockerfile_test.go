package deploy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one line of a Dockerfile, continuations joined: FROM, and what follows it.
type instruction struct {
	name string
	args []string
}

func TestDockerfileStagesAndSources(t *testing.T) {
	t.Parallel()
	var stages []string
	for _, in := range readDockerfile(t) {
		flags, operands := split(in.args)
		switch in.name {
		case "FROM":
			if len(operands) == 3 && strings.EqualFold(operands[1], "as") {
				stages = append(stages, operands[2])
			}
		case "COPY":
			sources := operands[:len(operands)-1]
			if from, other := flags["--from"]; other {
				if !slices.Contains(stages, from) {
					t.Errorf("COPY %v: no stage %s before it", in.args, from)
				}
				continue
			}
			for _, source := range sources {
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Errorf("COPY %s: %v", source, err)
				}
				if source != "." && !sent(t, source) {
					t.Errorf("COPY %s: .dockerignore leaves it out", source)
				}
			}
		}
	}
}

func TestDockerfileBuildsTheLeanProgramStatically(t *testing.T) {
	t.Parallel()
	var build string
	environment := map[string]bool{}
	for _, in := range readDockerfile(t) {
		line := strings.Join(in.args, " ")
		if in.name == "RUN" && strings.Contains(line, "go build") {
			build = line
		}
		if in.name == "ENV" {
			for _, pair := range in.args {
				environment[pair] = true
			}
		}
	}
	for _, want := range []string{"-tags lean", "-trimpath", "-X main.version=$VERSION", "-o /out/busbar", "./cmd/busbar"} {
		if !strings.Contains(build, want) {
			t.Errorf("go build lacks %s: %s", want, build)
		}
	}
	if !environment["CGO_ENABLED=0"] {
		t.Error("the image has no C library, so CGO_ENABLED must be 0")
	}
}

func TestDockerfileEndsWithoutRightsOrSecrets(t *testing.T) {
	t.Parallel()
	last := map[string][]string{}
	secret := regexp.MustCompile(`(?i)PASSWORD|SECRET|TOKEN|_KEY`)
	for _, in := range readDockerfile(t) {
		if in.name == "FROM" {
			clear(last) // Only the final stage is shipped.
		}
		last[in.name] = in.args
		if (in.name == "ENV" || in.name == "ARG") && secret.MatchString(strings.Join(in.args, " ")) {
			t.Errorf("%s %v would stay in the image's history", in.name, in.args)
		}
	}
	for name, want := range map[string]string{
		"FROM":       "gcr.io/distroless/static-debian12:nonroot",
		"USER":       "nonroot:nonroot",
		"COPY":       "--from=build /out/busbar /busbar",
		"ENTRYPOINT": `["/busbar"]`,
		"CMD":        `["serve"]`,
	} {
		if got := strings.Join(last[name], " "); got != want {
			t.Errorf("%s %s, want %s", name, got, want)
		}
	}
}

func TestDockerfileBuildsWithTheGoOfGoMod(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(readFile(t, "go.mod"))
	if version == nil {
		t.Fatal("go.mod names no Go version")
	}
	_, operands := split(readDockerfile(t)[0].args)
	if want := "golang:" + version[1] + "-"; !strings.HasPrefix(operands[0], want) {
		t.Errorf("built with %s, want %s…", operands[0], want)
	}
}

// A directory of packages that .dockerignore does not name would be missing in the image's build.
func TestDockerignoreSendsEveryPackage(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || strings.HasPrefix(name, ".") || !hasCode(t, filepath.Join(root, name)) {
			continue
		}
		if !sent(t, name) {
			t.Errorf("%s/ holds Go code, and .dockerignore leaves it out", name)
		}
	}
	for _, name := range []string{".busbar", ".env", ".git", "bin"} {
		if sent(t, name) {
			t.Errorf(".dockerignore lets %s into the image's context", name)
		}
	}
}

// sent says whether .dockerignore, which leaves out all that it does not name, names a path at the top.
func sent(t *testing.T, name string) bool {
	t.Helper()
	lines := strings.Split(readFile(t, ".dockerignore"), "\n")
	return slices.Contains(lines, "*") && slices.Contains(lines, "!"+name)
}

func hasCode(t *testing.T, dir string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			found = true
			return filepath.SkipAll
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readDockerfile(t *testing.T) []instruction {
	t.Helper()
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(readFile(t, "Dockerfile"), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	var instructions []instruction
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 {
			instructions = append(instructions, instruction{name: fields[0], args: fields[1:]})
		}
	}
	if len(instructions) == 0 || instructions[0].name != "FROM" {
		t.Fatalf("a Dockerfile begins with FROM: %v", instructions)
	}
	return instructions
}

// split parts the --name=value flags of an instruction from its operands.
func split(args []string) (flags map[string]string, operands []string) {
	flags = map[string]string{}
	for _, arg := range args {
		if name, value, isFlag := strings.Cut(arg, "="); isFlag && strings.HasPrefix(name, "--") {
			flags[name] = value
			continue
		}
		operands = append(operands, arg)
	}
	return flags, operands
}
