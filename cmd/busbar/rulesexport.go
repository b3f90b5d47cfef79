package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"busbar"
)

type rulesExportCmd struct {
	rulesServer
	Out string   `placeholder:"DIR" help:"Write a file for each rule into this directory, in the place of one that is there. Default: to the standard output."`
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of rules; all when there are none."`
}

// Run writes the rules one after the other.
func (c *rulesExportCmd) Run(ctx context.Context, e env) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	ids := make([]busbar.RuleID, len(c.IDs))
	for i, id := range c.IDs {
		if !busbar.ValidID(id) {
			return fmt.Errorf("%q cannot be the id of a rule", id)
		}
		ids[i] = busbar.RuleID(id)
	}
	if len(ids) == 0 {
		if ids, err = client.IDs(ctx); err != nil {
			return fmt.Errorf("list rules: %w", err)
		}
	}
	for i, id := range ids {
		text, err := client.Export(ctx, id)
		if err != nil {
			return fmt.Errorf("export %s: %w", id, err)
		}
		if c.Out == "" {
			err = writeDocument(e.stdout, text, i > 0)
		} else {
			err = c.write(e.stdout, id, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeDocument keeps rules apart as YAML does. Of one there is nothing but its text.
func writeDocument(w io.Writer, text []byte, further bool) error {
	if further {
		if _, err := io.WriteString(w, "---\n"); err != nil {
			return fmt.Errorf("write rule: %w", err)
		}
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write rule: %w", err)
	}
	return nil
}

// write puts a rule into its file at once: a reader never sees half of it.
func (c *rulesExportCmd) write(w io.Writer, id busbar.RuleID, text []byte) (err error) {
	if err := os.MkdirAll(c.Out, 0o755); err != nil { //nolint:gosec // rules are no secret
		return fmt.Errorf("--out: %w", err)
	}
	name := filepath.Join(c.Out, string(id)+".yaml")
	file, err := os.CreateTemp(c.Out, ".rule-*")
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) //nolint:errcheck // it is of no use, and maybe gone
		}
	}()
	_, err = file.Write(text)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(file.Name(), 0o644) //nolint:gosec // rules are no secret
	}
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	fmt.Fprintln(w, name)
	return nil
}
