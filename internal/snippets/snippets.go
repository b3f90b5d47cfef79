// Package snippets holds the code that subscribers put into their own programs to verify webhooks, for docs/webhooks.md
// and for pages that show it.
package snippets

import (
	"embed"
	"fmt"
	"path"
)

//go:embed verify/verify.go verify/verify.mjs verify/verify.py verify/verify.php verify/verify.rb verify/Verify.java verify/verify.sh verify/sign.sh
var files embed.FS

// Snippet is a file to copy.
type Snippet struct {
	// Title is for people: "Node.js".
	Title string
	// Language is how highlighters call it: "javascript".
	Language string
	// File is its name.
	File string
	Text string
}

// All lists the snippets that verify a webhook, one a language, and at the end the one that sends one to try a receiver.
func All() ([]Snippet, error) {
	list := []Snippet{
		{Title: "Go", Language: "go", File: "verify.go"},
		{Title: "Node.js", Language: "javascript", File: "verify.mjs"},
		{Title: "Python", Language: "python", File: "verify.py"},
		{Title: "PHP", Language: "php", File: "verify.php"},
		{Title: "Ruby", Language: "ruby", File: "verify.rb"},
		{Title: "Java", Language: "java", File: "Verify.java"},
		{Title: "Shell", Language: "bash", File: "verify.sh"},
		{Title: "Try a receiver", Language: "bash", File: "sign.sh"},
	}
	for i := range list {
		text, err := files.ReadFile(path.Join("verify", list[i].File))
		if err != nil {
			return nil, fmt.Errorf("read snippet: %w", err)
		}
		list[i].Text = string(text)
	}
	return list, nil
}
