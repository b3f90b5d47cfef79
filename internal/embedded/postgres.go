//go:build !lean

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	persistence "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/resolver"
)

const (
	visibilitySuffix    = "_visibility"
	maintenanceDatabase = "postgres"
	postgresConns       = 20
)

// openPostgres returns the stores at dsn, with databases and schemas created when they are missing.
func openPostgres(ctx context.Context, dsn string) (stores, error) {
	base, err := parsePostgres(dsn)
	if err != nil {
		return stores{}, err
	}
	opened := stores{main: base, visibility: withDatabase(base, base.DatabaseName+visibilitySuffix)}
	for _, store := range []struct {
		kind   sqlplugin.DbKind
		config *config.SQL
		schema string
	}{
		{sqlplugin.DbKindMain, opened.main, postgresMain},
		{sqlplugin.DbKindVisibility, opened.visibility, postgresVisibility},
	} {
		if err := ctx.Err(); err != nil {
			return stores{}, err
		}
		if err := createPostgres(store.kind, store.config, store.schema); err != nil {
			return stores{}, fmt.Errorf("prepare PostgreSQL database %s: %w", store.config.DatabaseName, err)
		}
	}
	return opened, nil
}

// parsePostgres takes the URL apart, as the server puts it together again. A unix socket is given as ?host=/directory.
func parsePostgres(dsn string) (*config.SQL, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("parse PostgreSQL URL: not a URL")
	}
	name := strings.Trim(u.Path, "/")
	if (u.Scheme != "postgres" && u.Scheme != "postgresql") || name == "" || u.User.Username() == "" {
		return nil, errors.New("parse PostgreSQL URL: want postgres://user:password@host/database")
	}
	attributes := map[string]string{}
	for key, values := range u.Query() {
		attributes[key] = values[0]
	}
	password, _ := u.User.Password()
	return &config.SQL{
		PluginName:        postgresql.PluginNamePGX,
		User:              url.PathEscape(u.User.Username()),
		Password:          password,
		ConnectAddr:       u.Host,
		ConnectProtocol:   "tcp",
		DatabaseName:      name,
		ConnectAttributes: attributes,
		MaxConns:          postgresConns,
		MaxIdleConns:      postgresConns,
	}, nil
}

func withDatabase(base *config.SQL, name string) *config.SQL {
	other := *base
	other.DatabaseName = name
	return &other
}

// createPostgres makes the database and its schema unless the schema's version is there already.
func createPostgres(kind sqlplugin.DbKind, cfg *config.SQL, schemaPath string) error {
	maintenance, err := openAdmin(kind, withDatabase(cfg, maintenanceDatabase))
	if err != nil {
		return err
	}
	if err := errors.Join(maintenance.CreateDatabase(cfg.DatabaseName), maintenance.Close()); err != nil {
		return err
	}
	db, err := openAdmin(kind, cfg)
	if err != nil {
		return err
	}
	return errors.Join(createPostgresSchema(db, cfg.DatabaseName, schemaPath), db.Close())
}

// createPostgresSchema writes the version last: what is half made is an error at the next start, not a surprise.
func createPostgresSchema(db sqlplugin.AdminDB, name, schemaPath string) error {
	if version, err := db.ReadSchemaVersion(name); err == nil && version != "" {
		return nil
	}
	if err := db.CreateSchemaVersionTables(); err != nil {
		return fmt.Errorf("create version tables: %w", err)
	}
	list, err := statements(schemaPath)
	if err != nil {
		return err
	}
	for _, statement := range list {
		if err := db.Exec(statement); err != nil {
			return fmt.Errorf("run %q: %w", statement, err)
		}
	}
	version := db.ExpectedVersion()
	if err := db.UpdateSchemaVersion(name, version, version); err != nil {
		return fmt.Errorf("write schema version: %w", err)
	}
	return nil
}

func openAdmin(kind sqlplugin.DbKind, cfg *config.SQL) (sqlplugin.AdminDB, error) {
	db, err := persistence.NewSQLAdminDB(kind, cfg, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return db, nil
}
