package main

import (
	"fmt"
	"io"
	"strings"
)

// banner is what a person sees when everything runs.
type banner struct {
	url, temporalUI, data string
	// home is empty when none is simulated.
	home string
	keys []bootstrapKey
	// login lets the first person in to the dashboard; empty when somebody has a password.
	login string
}

// print writes it at once, so that no log line comes in between.
func (b banner) print(out io.Writer) {
	w := &strings.Builder{}
	fmt.Fprintf(w, "\nBusbar %s is ready.\n\n", version)
	fmt.Fprintf(w, "  Dashboard and API  %s\n", b.url)
	if b.temporalUI != "" {
		fmt.Fprintf(w, "  Temporal UI        %s\n", b.temporalUI)
	}
	if b.data != "" {
		fmt.Fprintf(w, "  Data               %s\n", b.data)
	}
	if b.home != "" {
		fmt.Fprintf(w, "  Simulated home     %s\n", b.home)
	}
	if b.login != "" {
		fmt.Fprintf(w, "  Sign in once at    %s\n", b.login)
	}
	fresh := false
	for _, k := range b.keys {
		fmt.Fprintf(w, "  %-18s %s\n", string(k.env)+" API key", k.shown)
		fresh = fresh || k.fresh
	}
	if fresh {
		fmt.Fprint(w, "\n  The keys are shown this once; only their hashes are kept.\n")
	}
	fmt.Fprintln(w)
	fmt.Fprint(out, w.String())
}
