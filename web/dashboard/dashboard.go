// Package dashboard is the web UI: pages for people, over the same operations as the API.
package dashboard

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/web/api"
)

// API is what the dashboard reads and changes things by: the routes of the API, without the HTTP between.
type API interface {
	Do(ctx context.Context, op api.Operation) (any, error)
}

// Users are the people who may sign in.
type Users interface {
	CreateUser(ctx context.Context, u *busbar.User) error
	Users(ctx context.Context, req busbar.PageRequest) (busbar.Page[busbar.User], error)
	User(ctx context.Context, id busbar.UserID) (busbar.User, error)
	UserByName(ctx context.Context, name string) (busbar.User, error)
	UpdateUser(ctx context.Context, id busbar.UserID, change func(*busbar.User) error) (busbar.User, error)
	DeleteUser(ctx context.Context, id busbar.UserID) error
}

// Sessions are the browsers that people have signed in with, and the links that let them in once.
type Sessions interface {
	CreateSession(ctx context.Context, session *busbar.Session) error
	SessionByHash(ctx context.Context, hash busbar.TokenHash) (busbar.Session, busbar.User, error)
	TouchSession(ctx context.Context, session *busbar.Session) error
	SessionsOf(ctx context.Context, id busbar.UserID) ([]busbar.Session, error)
	EndSession(ctx context.Context, user busbar.UserID, id busbar.SessionID) error
	CreateLoginLink(ctx context.Context, hash busbar.TokenHash, user busbar.UserID, expires time.Time) error
	LoginLinkUser(ctx context.Context, hash busbar.TokenHash) (busbar.User, error)
	UseLoginLink(ctx context.Context, hash busbar.TokenHash, session *busbar.Session, passwordHash string) (busbar.User, error)
}

// Auditor keeps who changed what.
type Auditor interface {
	AddAudit(ctx context.Context, e *busbar.AuditEntry) error
	Audit(ctx context.Context, f store.AuditFilter, req busbar.PageRequest) (busbar.Page[busbar.AuditEntry], error)
	AuditActors(ctx context.Context) ([]store.Actor, error)
	AuditActions(ctx context.Context) ([]string, error)
}

// Counter counts what happened.
type Counter interface {
	CountMade(ctx context.Context, env busbar.Environment, since, until time.Time, width time.Duration, perEndpoint bool) ([]store.Bucket, error)
	CountUndelivered(ctx context.Context, env busbar.Environment, since, until time.Time, width time.Duration, perEndpoint bool) ([]store.Bucket, error)
	CountEvents(ctx context.Context, env busbar.Environment, since, until time.Time) (int, error)
	CountFirings(ctx context.Context, env busbar.Environment, since, until time.Time, width time.Duration) ([]store.FiringBucket, error)
	CountDeliveries(ctx context.Context, env busbar.Environment, status busbar.DeliveryStatus, most int) (int, error)
}

// Watcher tells that something has changed.
type Watcher interface {
	Watermark(ctx context.Context, env busbar.Environment) (string, error)
}

// Config is what a Dashboard needs. All of it is required but where a field says otherwise.
type Config struct {
	API      API
	Users    Users
	Sessions Sessions
	Audit    Auditor
	Counter  Counter
	Watcher  Watcher
	Logger   *slog.Logger
	Now      func() time.Time
	// PublicURL is where people reach the server, without a slash at its end; it may be empty.
	PublicURL string
	// TemporalUIURL is linked to unless empty.
	TemporalUIURL string
	Version       string
	// Gallery serves the page of all components, for those who work on the dashboard.
	Gallery bool
	// CountPatience is how long a page waits for the counts of a day before it shows those it has; 25 ms unless set.
	CountPatience time.Duration
	// Settings are shown on the page about the server.
	Settings []Settings
	// Ready says how well events are served.
	Ready func(ctx context.Context) Readiness
}

// Readiness is how well events are served right now.
type Readiness struct {
	Accepting, WorkersPolling bool
	Backlog                   int64
}

// Dashboard answers requests for pages. It is safe for concurrent use.
type Dashboard struct {
	cfg      Config
	origins  *http.CrossOriginProtection
	throttle *throttle
	hub      *hub
	history  *history
	// secure: people reach the server by https.
	secure bool
}

// New checks the configuration.
func New(cfg Config) (*Dashboard, error) {
	for name, missing := range map[string]bool{
		"API": cfg.API == nil, "users": cfg.Users == nil, "sessions": cfg.Sessions == nil, "audit log": cfg.Audit == nil,
		"counter": cfg.Counter == nil, "watcher": cfg.Watcher == nil, "logger": cfg.Logger == nil, "clock": cfg.Now == nil,
		"readiness": cfg.Ready == nil,
	} {
		if missing {
			return nil, errors.New("make dashboard: no " + name + " was given")
		}
	}
	return &Dashboard{
		cfg: cfg, origins: http.NewCrossOriginProtection(), throttle: newThrottle(cfg.Now),
		hub: newHub(cfg.Watcher, cfg.Logger), history: newHistory(cfg.Counter, cfg.Now, cmp.Or(cfg.CountPatience, countPatience)),
		secure: strings.HasPrefix(cfg.PublicURL, "https://"),
	}, nil
}

// EndFeeds ends the live feeds, which would otherwise never end by themselves, and counts that are under way. Pages that are
// open ask again.
func (d *Dashboard) EndFeeds() {
	d.hub.close()
	d.history.close()
}
