//go:build !lean

package embedded

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"

	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/schema"
)

// The server's own schemas, by their path in its embedded files.
const (
	sqliteMain         = "sqlite/v3/temporal/schema.sql"
	sqliteVisibility   = "sqlite/v3/visibility/schema.sql"
	postgresMain       = "postgresql/v12/temporal/schema.sql"
	postgresVisibility = "postgresql/v12/visibility/schema.sql"
)

// statements splits one of the server's schemas.
func statements(path string) ([]string, error) {
	text, err := fs.ReadFile(schema.Assets(), path)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	list, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{bytes.NewReader(text)})
	if err != nil {
		return nil, fmt.Errorf("split schema %s: %w", path, err)
	}
	return list, nil
}
