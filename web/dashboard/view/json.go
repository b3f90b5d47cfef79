package view

import (
	"context"
	"io"
	"strings"

	"github.com/a-h/templ"
)

// coloured writes JSON with a span around each token. It is written here and not in a template, whose white space would
// show inside of pre.
func coloured(text string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b strings.Builder
		for _, t := range tokens(text) {
			if t.class == "" {
				b.WriteString(t.text)
				continue
			}
			b.WriteString(`<span class="` + t.class + `">` + templ.EscapeString(t.text) + `</span>`)
		}
		_, err := io.WriteString(w, b.String())
		return err //nolint:wrapcheck // it is the writer's own
	})
}
