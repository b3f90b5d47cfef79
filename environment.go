package busbar

import "fmt"

// Environment separates what is tried from what is real. An API key selects it, and the two never see each other's data.
type Environment string

// The environments.
const (
	Sandbox Environment = "sandbox"
	Live    Environment = "live"
)

// Environments lists all of them.
func Environments() []Environment { return []Environment{Sandbox, Live} }

// ParseEnvironment rejects what is not an environment.
func ParseEnvironment(s string) (Environment, error) {
	switch e := Environment(s); e {
	case Sandbox, Live:
		return e, nil
	default:
		return "", fmt.Errorf("environment %q is neither %q nor %q", s, Sandbox, Live)
	}
}

// KeyPrefix is how the API keys of the environment begin.
func (e Environment) KeyPrefix() string {
	if e == Live {
		return "sk_live_"
	}
	return "sk_test_"
}
