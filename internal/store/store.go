// Package store keeps Busbar's rows, in SQLite files of its own or in PostgreSQL, behind the same methods.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"busbar"
	"busbar/internal/keyring"
	"busbar/migrations"
)

// Config says which database to open.
type Config struct {
	// URL is `postgres://…`; empty means SQLite.
	URL string
	// Path is the SQLite file; its folder must exist.
	Path string
	// Relaxed lets SQLite commits survive a crash of the process but not a loss of power.
	Relaxed bool
	// Keyring seals what is secret.
	Keyring *keyring.Keyring
	// Now is the clock; nil is time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Store keeps the rows. It is safe for concurrent use.
type Store struct {
	dialect migrations.Dialect
	keyring *keyring.Keyring
	now     func() time.Time

	// read answers queries; it never waits for a writer.
	read *gorm.DB
	// durable commits survive what Config.Relaxed says; relaxed ones may be lost with the power, though never torn.
	durable, relaxed *gorm.DB
	// writer is held by the one transaction that may write to SQLite. Waiting here is fair, waiting in SQLite is not.
	writer sync.Mutex

	care      CarePolicy
	pools     []*sql.DB
	directory directory
	rules     ruleSets
	days      knownDays
}

// Open connects to the database. It does not apply migrations.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Keyring == nil {
		return nil, errors.New("open store: no keyring was given")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Store{dialect: migrations.SQLite, keyring: cfg.Keyring, now: cfg.Now}
	open := s.openSQLite
	if cfg.URL != "" {
		s.dialect = migrations.Postgres
		open = s.openPostgres
	}
	if err := open(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	var errs []error
	for _, p := range s.pools {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// Migrate applies the migrations that are missing and returns their names.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	applied, err := migrations.Up(ctx, s.pools[0], s.dialect)
	if err != nil {
		return applied, err
	}
	return applied, s.MakeDays(ctx)
}

// Migrations lists the migrations.
func (s *Store) Migrations(ctx context.Context) ([]migrations.Status, error) {
	return migrations.List(ctx, s.pools[0], s.dialect)
}

// MigrationsPending reports whether this binary has migrations that the database lacks.
func (s *Store) MigrationsPending(ctx context.Context) (bool, error) {
	return migrations.Pending(ctx, s.pools[0], s.dialect)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pools[0].PingContext(ctx); err != nil {
		return fmt.Errorf("reach database: %w", err)
	}
	return nil
}

// Embedded reports whether the database is a file of this process alone.
func (s *Store) Embedded() bool { return s.dialect == migrations.SQLite }

func (s *Store) openPostgres(ctx context.Context, cfg Config) error {
	var err error
	if s.durable, err = s.openConnections(ctx, cfg.URL, 12, true); err != nil {
		return err
	}
	s.read = s.durable
	s.relaxed, err = s.openConnections(ctx, cfg.URL, 6, false)
	return err
}

// openConnections opens a pool. What its transactions commit reaches the disk before they return, or, not synchronous,
// within a moment: then a crash of the database may lose the last of them, in their order and never a part of one.
// PostgreSQL's default allows 100 connections in all, which is enough for five copies of the program.
func (s *Store) openConnections(ctx context.Context, url string, most int, synchronous bool) (*gorm.DB, error) {
	settled, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	if !synchronous {
		settled.RuntimeParams["synchronous_commit"] = "off"
	}
	pool := stdlib.OpenDB(*settled)
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(most / 2)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	s.pools = append(s.pools, pool)
	if err := pool.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), settings())
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return db, nil
}

// settings are gorm's, the same for both databases: errors translated, no transaction of its own around single statements,
// no logging (errors are returned). Statements are kept by the connections: gorm prepares those of transactions anew each
// time.
func settings() *gorm.Config {
	return &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		Logger:                 logger.Discard,
	}
}

// A write that takes this long has lost its database. Nothing that is bounded elsewhere takes longer.
const writeTimeout = 10 * time.Second

// writeTries is how often a transaction is run that another one got in the way of.
const writeTries = 3

// write runs a transaction. On SQLite one runs at a time. On PostgreSQL two may lock the same rows in another order; the
// one that is given up for the other runs again, and so does one that finds no table for a day that was thought to have one: fn
// leaves nothing behind but what its next run overwrites.
func (s *Store) write(ctx context.Context, db *gorm.DB, fn func(tx *gorm.DB) error) error {
	if s.Embedded() {
		s.writer.Lock()
		defer s.writer.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err := db.WithContext(ctx).Transaction(fn)
		if try == writeTries || !conflicted(err) && !s.days.lack(err) {
			return translate(err)
		}
	}
}

// translate makes a busbar.Error of what the database says when it cannot be reached.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*busbar.Error](err); ok {
		return err
	}
	if unreachable(err) {
		return busbar.Unavailable(retryDatabase, err, "the database cannot be reached; try again")
	}
	return err
}

// retryDatabase is how long a client should wait when the database is away.
const retryDatabase = 2 * time.Second

// Times are stored as microseconds since 1970 UTC; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
