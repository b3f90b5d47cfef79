package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar/internal/keyring"
	"busbar/internal/store"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply the migrations that are missing."`
	Status migrateStatusCmd `cmd:"" help:"List the migrations."`
}

type migrateUpCmd struct{ databaseFlags }

type migrateStatusCmd struct{ databaseFlags }

// databaseFlags say where the rows are.
type databaseFlags struct {
	DatabaseURL string `name:"database-url" env:"BUSBAR_DATABASE_URL" help:"postgres://…"`
}

const connectTimeout = 10 * time.Second

// open connects to PostgreSQL.
func (f databaseFlags) open(ctx context.Context, ring *keyring.Keyring) (*store.Store, error) {
	if f.DatabaseURL == "" {
		return nil, errors.New("--database-url (BUSBAR_DATABASE_URL) is not set; set it to postgres://…")
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return store.Open(ctx, store.Config{URL: f.DatabaseURL, Keyring: ring})
}

// migrating opens the database for its tables alone. They hold secrets that migrations leave as they are, so this
// needs no master key, and takes one that nothing was sealed with.
func (f databaseFlags) migrating(ctx context.Context) (*store.Store, error) {
	key, err := keyring.Generate()
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Parse(key)
	if err != nil {
		return nil, err
	}
	return f.open(ctx, ring)
}

// Run applies what is missing.
func (c *migrateUpCmd) Run(ctx context.Context, e env) (err error) {
	s, err := c.migrating(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	applied, err := s.Migrate(ctx)
	if err != nil {
		return err
	}
	for _, name := range applied {
		fmt.Fprintf(e.stdout, "applied %s\n", name)
	}
	if len(applied) == 0 {
		fmt.Fprintln(e.stdout, "nothing to apply")
	}
	return nil
}

// Run lists the migrations.
func (c *migrateStatusCmd) Run(ctx context.Context, e env) (err error) {
	s, err := c.migrating(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	list, err := s.Migrations(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		state := "pending"
		if m.Applied {
			state = "applied"
		}
		fmt.Fprintf(e.stdout, "%-8s %s\n", state, m.Name)
	}
	return nil
}
