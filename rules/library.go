package rules

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed library/*.yaml
var libraryFiles embed.FS

// LibraryRule is a rule that comes with Busbar, to be taken as it is or changed.
type LibraryRule struct {
	// Slug is the name of its file.
	Slug string
	Rule *Rule
	// YAML is the file.
	YAML string
}

// Library lists the rules that come with Busbar, by their slugs.
func Library() ([]LibraryRule, error) {
	entries, err := libraryFiles.ReadDir("library")
	if err != nil {
		return nil, fmt.Errorf("read library of rules: %w", err)
	}
	library := make([]LibraryRule, len(entries))
	for i, entry := range entries {
		text, err := libraryFiles.ReadFile(path.Join("library", entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read library of rules: %w", err)
		}
		rule, err := ParseYAML(text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", entry.Name(), err)
		}
		library[i] = LibraryRule{strings.TrimSuffix(entry.Name(), ".yaml"), rule, string(text)}
	}
	return library, nil
}
