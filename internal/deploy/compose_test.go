package deploy_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// root is the top of the repository.
const root = "../.."

// compose is what these tests read of the Compose format, https://github.com/compose-spec/compose-spec.
type compose struct {
	Services map[string]service   `yaml:"services"`
	Volumes  map[string]yaml.Node `yaml:"volumes"`
	Configs  map[string]struct {
		Content string `yaml:"content"`
	} `yaml:"configs"`
}

type service struct {
	Image     string               `yaml:"image"`
	Build     *build               `yaml:"build"`
	Command   []string             `yaml:"command"`
	Restart   string               `yaml:"restart"`
	Grace     string               `yaml:"stop_grace_period"`
	Ports     []string             `yaml:"ports"`
	Volumes   []string             `yaml:"volumes"`
	ReadOnly  bool                 `yaml:"read_only"`
	DependsOn map[string]condition `yaml:"depends_on"`
	Configs   []struct {
		Source string `yaml:"source"`
		Target string `yaml:"target"`
	} `yaml:"configs"`
	// A variable without a value is handed on from the caller's environment.
	Environment map[string]*string `yaml:"environment"`
	Healthcheck *struct {
		Test    []string `yaml:"test"`
		Disable bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
}

type build struct {
	Context string             `yaml:"context"`
	Args    map[string]*string `yaml:"args"`
}

type condition struct {
	Condition string `yaml:"condition"`
}

// Conditions of depends_on.
const (
	healthy   = "service_healthy"
	completed = "service_completed_successfully"
)

// oneShot are the services that do their work and end.
var oneShot = []string{"migrate", "temporal-schema"}

func TestComposeServices(t *testing.T) {
	t.Parallel()
	want := []string{
		"migrate", "postgres", "serve", "temporal", "temporal-schema", "temporal-ui", "worker-1", "worker-2",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(readCompose(t).Services))); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

func TestComposeDependenciesCanBeMet(t *testing.T) {
	t.Parallel()
	services := readCompose(t).Services
	for name, s := range services {
		for on, dependency := range s.DependsOn {
			other, found := services[on]
			switch {
			case !found:
				t.Errorf("%s waits for %s, which does not exist", name, on)
			case dependency.Condition == healthy && !other.checked():
				t.Errorf("%s waits for %s to be healthy, which has no health check", name, on)
			case dependency.Condition == completed && !slices.Contains(oneShot, on):
				t.Errorf("%s waits for the end of %s, which never ends", name, on)
			case dependency.Condition == healthy || dependency.Condition == completed:
			default:
				t.Errorf("%s waits for %s under the condition %q", name, on, dependency.Condition)
			}
		}
		if path := cycle(services, name, nil); path != nil {
			t.Errorf("services wait for each other: %s", strings.Join(path, " → "))
		}
	}
	for _, name := range []string{"serve", "worker-1", "worker-2"} {
		want := map[string]condition{"postgres": {healthy}, "temporal": {healthy}, "migrate": {completed}}
		if diff := cmp.Diff(want, services[name].DependsOn); diff != "" {
			t.Errorf("%s waits for (-want +got):\n%s", name, diff)
		}
	}
}

func TestComposeServicesSurvive(t *testing.T) {
	t.Parallel()
	for name, s := range readCompose(t).Services {
		if slices.Contains(oneShot, name) {
			if !strings.HasPrefix(s.Restart, "on-failure:") {
				t.Errorf("%s: restart %q, want a bounded number of tries", name, s.Restart)
			}
			continue
		}
		if s.Restart != "unless-stopped" {
			t.Errorf("%s: restart %q, want unless-stopped", name, s.Restart)
		}
		if !s.checked() {
			t.Errorf("%s has no health check", name)
		}
		if s.Grace == "" && name != "temporal-ui" {
			t.Errorf("%s is killed after the default 10 s", name)
		}
	}
}

func TestComposePortsAreLocal(t *testing.T) {
	t.Parallel()
	published := map[string][]string{}
	for name, s := range readCompose(t).Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s to the network", name, port)
			}
		}
		if len(s.Ports) > 0 {
			published[name] = s.Ports
		}
	}
	want := map[string][]string{
		"serve":       {"127.0.0.1:8080:8080"},
		"temporal":    {"127.0.0.1:7233:7233"},
		"temporal-ui": {"127.0.0.1:8233:8080"},
	}
	if diff := cmp.Diff(want, published); diff != "" {
		t.Errorf("published ports (-want +got):\n%s", diff)
	}
}

func TestComposeDeclaresWhatItMounts(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	usedVolumes, usedConfigs := map[string]bool{}, map[string]bool{}
	for name, s := range file.Services {
		for _, mount := range s.Volumes {
			volume, _, _ := strings.Cut(mount, ":")
			usedVolumes[volume] = true
			if _, declared := file.Volumes[volume]; !declared {
				t.Errorf("%s mounts %s, which is not a named volume", name, mount)
			}
		}
		for _, config := range s.Configs {
			usedConfigs[config.Source] = true
			if _, declared := file.Configs[config.Source]; !declared {
				t.Errorf("%s wants the configuration %s, which is not declared", name, config.Source)
			}
		}
	}
	for volume := range file.Volumes {
		if !usedVolumes[volume] {
			t.Errorf("nothing mounts the volume %s", volume)
		}
	}
	for name, config := range file.Configs {
		if !usedConfigs[name] {
			t.Errorf("nothing mounts the configuration %s", name)
		}
		var settings map[string][]struct {
			Value any `yaml:"value"`
		}
		if err := yaml.Unmarshal([]byte(config.Content), &settings); err != nil || len(settings) == 0 {
			t.Errorf("the configuration %s: %v: %q", name, err, config.Content)
		}
	}
	if !usedVolumes["postgres-data"] {
		t.Error("the database has no volume")
	}
}

func TestComposeRunsBusbarAlike(t *testing.T) {
	t.Parallel()
	services := readCompose(t).Services
	commands := map[string][]string{
		"migrate": {"migrate", "up"}, "serve": {"serve"}, "worker-1": {"worker"}, "worker-2": {"worker"},
	}
	for name, command := range commands {
		s := services[name]
		if diff := cmp.Diff(command, s.Command); diff != "" {
			t.Errorf("%s runs (-want +got):\n%s", name, diff)
		}
		if s.Image != services["serve"].Image || s.Build == nil || s.Build.Context != "." {
			t.Errorf("%s: image %q, build %+v; want the image of serve, built here", name, s.Image, s.Build)
		}
		if !s.ReadOnly {
			t.Errorf("%s may write to its image", name)
		}
		for _, variable := range []string{"BUSBAR_DATABASE_URL", "BUSBAR_TEMPORAL_ADDR", "BUSBAR_MASTER_KEY"} {
			if s.Environment[variable] == nil {
				t.Errorf("%s: %s is not set", name, variable)
			}
		}
		if name == "migrate" {
			continue
		}
		if diff := cmp.Diff([]string{"CMD", "/busbar", "probe"}, s.Healthcheck.Test); diff != "" {
			t.Errorf("%s: health check (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(services["worker-1"], services["worker-2"]); diff != "" {
		t.Errorf("the workers differ:\n%s", diff)
	}
}

func TestComposeKnowsOnlyTheContractsVariables(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`BUSBAR_[A-Z_]+`).FindAllString(readFile(t, "docker-compose.yml"), -1)
	// A variable of the file itself: the image's tag.
	known := append([]string{"BUSBAR_VERSION"}, variables...)
	for _, name := range named {
		if !slices.Contains(known, name) {
			t.Errorf("docker-compose.yml names %s, which no command reads", name)
		}
	}
}

func TestComposeHoldsNoSecret(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`PASSWORD|PWD|_KEY$|DATABASE_URL`)
	for name, s := range readCompose(t).Services {
		for variable, value := range s.Environment {
			if secret.MatchString(variable) && value != nil && !strings.Contains(*value, ":?") {
				t.Errorf("%s: %s must come from the environment and be required, is %q", name, variable, *value)
			}
		}
	}
}

// The embedded server and the cluster behave alike only as the same version.
func TestComposeRunsTheServerOfGoMod(t *testing.T) {
	t.Parallel()
	services := readCompose(t).Services
	server := required(t, "go.temporal.io/server")
	for name, want := range map[string]string{
		"temporal":        "temporalio/server:" + server,
		"temporal-schema": "temporalio/admin-tools:" + server,
		"temporal-ui":     "temporalio/ui:" + required(t, "github.com/temporalio/ui-server/v2"),
		"postgres":        "postgres:16",
	} {
		if got := services[name].Image; got != want {
			t.Errorf("%s: image %s, want %s", name, got, want)
		}
	}
}

func (s service) checked() bool {
	return s.Healthcheck != nil && !s.Healthcheck.Disable && len(s.Healthcheck.Test) > 1
}

// cycle is a way from a service back to itself or to one on the way, or nil.
func cycle(services map[string]service, name string, way []string) []string {
	if slices.Contains(way, name) {
		return append(way, name)
	}
	for on := range services[name].DependsOn {
		if found := cycle(services, on, append(slices.Clone(way), name)); found != nil {
			return found
		}
	}
	return nil
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var file compose
	if err := yaml.Unmarshal([]byte(readFile(t, "docker-compose.yml")), &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// required is the version of a module in go.mod, without its v.
func required(t *testing.T, module string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` v(\S+)`).FindStringSubmatch(readFile(t, "go.mod"))
	if line == nil {
		t.Fatalf("go.mod does not require %s", module)
	}
	return line[1]
}
