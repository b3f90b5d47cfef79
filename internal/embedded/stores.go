//go:build !lean

package embedded

import (
	"context"
	"fmt"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"

	busbartemporal "busbar/internal/temporal"
)

const (
	clusterName     = "active"
	mainStore       = "main"
	visibilityStore = "visibility"
)

// stores are the two databases of the server.
type stores struct {
	main, visibility *config.SQL
}

// openStores prepares the databases that cfg asks for, with the namespace in them.
func openStores(ctx context.Context, cfg Config) (stores, error) {
	var opened stores
	var err error
	if cfg.PostgresDSN != "" {
		opened, err = openPostgres(ctx, cfg.PostgresDSN)
	} else {
		opened, err = openSQLite(ctx, cfg.DataDir, cfg.Synchronous)
	}
	if err != nil {
		return stores{}, err
	}
	if err := createNamespace(opened.main, cfg.Namespace); err != nil {
		return stores{}, fmt.Errorf("create Temporal namespace %s: %w", cfg.Namespace, err)
	}
	return opened, nil
}

// createNamespace writes the namespace's row when it is missing: the server then knows it from its first moment.
func createNamespace(main *config.SQL, name string) error {
	namespace, err := sqlite.NewNamespaceConfig(clusterName, name, false, nil)
	if err != nil {
		return err
	}
	namespace.Detail.Config.Retention = durationpb.New(busbartemporal.Retention)
	namespace.Detail.Config.CustomSearchAttributeAliases = attributeFields()
	return sqlite.CreateNamespaces(main, namespace)
}

func (s stores) persistence() config.Persistence {
	return config.Persistence{
		DefaultStore:     mainStore,
		VisibilityStore:  visibilityStore,
		NumHistoryShards: 1,
		DataStores: map[string]config.DataStore{
			mainStore:       {SQL: s.main},
			visibilityStore: {SQL: s.visibility},
		},
	}
}
