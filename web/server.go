package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"busbar"
	"busbar/internal/store"
	"busbar/web/api"
	"busbar/web/dashboard"
	"busbar/web/openapi"
)

// What the server needs from elsewhere.
type (
	// Intake is the door through which events enter.
	Intake = api.Intake
	// Devices takes what is said of devices.
	Devices = api.Devices
	// Commands carries commands out.
	Commands = api.Commands
	// Holds are what rules have begun and wait with.
	Holds = api.Holds
	// Redeliverer acts on deliveries that exist.
	Redeliverer = api.Redeliverer
	// Listeners bring attempts and the programs that fetch them together.
	Listeners = api.Listeners
	// Settings are some of what the process was started with.
	Settings = dashboard.Settings
	// Setting is one of them.
	Setting = dashboard.Setting
	// URLChecker says whether a URL may be a target.
	URLChecker = api.URLChecker
)

// Readiness is how well events are served right now.
type Readiness struct {
	// Accepting: events are taken.
	Accepting bool `json:"accepting"`
	// WorkersPolling: a worker has asked for work lately.
	WorkersPolling bool `json:"workersPolling"`
	// Backlog is how many events wait for their workflow to start.
	Backlog int64 `json:"backlog"`
}

// Config is what a Server needs. All of it is required but where a field says otherwise.
type Config struct {
	Store       *store.Store
	Intake      Intake
	Devices     Devices
	Commands    Commands
	Holds       Holds
	Redeliverer Redeliverer
	Listeners   Listeners
	Guard       URLChecker
	Logger      *slog.Logger
	// Ready is asked by GET /readyz and the dashboard.
	Ready func(ctx context.Context) Readiness
	// DeliveryTimeout bounds an attempt to an endpoint without a timeout of its own.
	DeliveryTimeout time.Duration
	// Registry is where metrics are registered and what GET /metrics shows; nil is a new one.
	Registry *prometheus.Registry
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// PublicURL is where clients reach the server, for links; it may be empty.
	PublicURL string
	// TemporalUIURL is linked from the dashboard unless empty.
	TemporalUIURL string
	// WorkflowURL links to a workflow in the Temporal UI, empty when there is none; nil is always empty.
	WorkflowURL func(workflowID, runID string) string
	// WorkflowRetention is how long Temporal keeps a workflow; zero is for ever.
	WorkflowRetention time.Duration
	Version           string
	// RateLimit is how many requests a second a key may make; zero is unlimited.
	RateLimit float64
	// Gallery also serves the page of all components of the dashboard.
	Gallery bool
	// Settings are shown on the dashboard's page about the server. None of them may be secret.
	Settings []Settings
	// CountPatience is how long a page of the dashboard waits for counts before it shows those it has; zero is 25 ms.
	CountPatience time.Duration
}

// Span is a duration in words, for settings.
func Span(d time.Duration) string { return dashboard.Span(d) }

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	cfg       Config
	api       *api.API
	dashboard *dashboard.Dashboard
	handler   http.Handler
	// polled: a worker was seen to poll once.
	polled atomic.Bool
}

// New checks the configuration and puts the routes together.
func New(cfg Config) (*Server, error) {
	if cfg.Ready == nil {
		return nil, errors.New("make web server: no readiness was given")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	routes := api.Routes()
	document, err := openapi.Build(routes, cfg.PublicURL, cfg.Version)
	if err != nil {
		return nil, err
	}
	a, err := api.New(api.Config{
		Store: cfg.Store, Intake: cfg.Intake, Devices: cfg.Devices, Commands: cfg.Commands, Holds: cfg.Holds, Redeliverer: cfg.Redeliverer, Listeners: cfg.Listeners, Guard: cfg.Guard, Logger: cfg.Logger,
		Now: cfg.Now, RateLimit: cfg.RateLimit, DeliveryTimeout: cfg.DeliveryTimeout,
		WorkflowURL: cfg.WorkflowURL, WorkflowRetention: cfg.WorkflowRetention, PublicURL: cfg.PublicURL, Document: document,
	})
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(cfg.Registry)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, api: a}
	s.dashboard, err = dashboard.New(dashboard.Config{
		API: a, Users: cfg.Store, Sessions: cfg.Store, Audit: cfg.Store, Counter: cfg.Store, Watcher: cfg.Store, Logger: cfg.Logger,
		Now: cfg.Now, PublicURL: cfg.PublicURL, TemporalUIURL: cfg.TemporalUIURL, Version: cfg.Version, Gallery: cfg.Gallery, Settings: cfg.Settings,
		CountPatience: cfg.CountPatience,
		Ready:         func(ctx context.Context) dashboard.Readiness { return dashboard.Readiness(cfg.Ready(ctx)) },
	})
	if err != nil {
		return nil, err
	}
	s.handler = s.around(s.router(routes), metrics)
	return s, nil
}

// EndFeeds ends the answers that would not end by themselves. It is for a server that shuts down.
func (s *Server) EndFeeds() { s.dashboard.EndFeeds() }

// Handler answers everything that the server does.
func (s *Server) Handler() http.Handler { return s.handler }

// router makes Echo's routes of ours.
func (s *Server) router(routes []api.Route) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = s.unrouted
	for i := range routes {
		r := &routes[i]
		add(e, r.Method, r.Path, func(c echo.Context) error {
			s.api.Serve(c.Response(), c.Request(), r, call(c))
			return nil
		})
	}
	pages := s.dashboard.Routes()
	for i := range pages {
		r := &pages[i]
		add(e, r.Method, r.Path, func(c echo.Context) error {
			known := call(c)
			s.dashboard.Serve(c.Response(), c.Request(), r, dashboard.Call{ID: known.ID, Params: known.Params})
			return nil
		})
	}
	for path, h := range map[string]http.HandlerFunc{
		"/healthz": s.health, "/readyz": s.ready,
		"/metrics": promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{}).ServeHTTP,
	} {
		add(e, http.MethodGet, path, func(c echo.Context) error {
			h(c.Response(), c.Request())
			return nil
		})
	}
	return e
}

// add serves a path of ours, whose parameters stand in braces, and HEAD wherever there is GET.
func add(e *echo.Echo, method, path string, h echo.HandlerFunc) {
	named := func(c echo.Context) error {
		recorderOf(c.Response()).route = path
		return h(c)
	}
	theirs := strings.ReplaceAll(strings.ReplaceAll(path, "{", ":"), "}", "")
	e.Add(method, theirs, named)
	if method == http.MethodGet {
		e.Add(http.MethodHead, theirs, named)
	}
}

// call is what the API is told of a request.
func call(c echo.Context) api.Call {
	rec := recorderOf(c.Response())
	params := make(map[string]string, len(c.ParamNames()))
	for _, name := range c.ParamNames() {
		params[name] = c.Param(name)
	}
	return api.Call{ID: rec.requestID, Began: rec.began, Params: params}
}

// unrouted answers for Echo when it finds no route. A path without the method is NOT_FOUND too, with an Allow header.
func (s *Server) unrouted(err error, c echo.Context) {
	r := c.Request()
	if page(r) {
		known := call(c)
		s.dashboard.NotFound(c.Response(), r, dashboard.Call{ID: known.ID})
		return
	}
	if theirs, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch theirs.Code {
		case http.StatusNotFound:
			err = busbar.Errorf(busbar.CodeNotFound, "there is nothing at %s", r.URL.Path)
		case http.StatusMethodNotAllowed:
			err = busbar.Errorf(busbar.CodeNotFound, "there is no %s at %s, only %s", r.Method, r.URL.Path, c.Response().Header().Get(echo.HeaderAllow))
		default:
			err = fmt.Errorf("route request: %w", err)
		}
	}
	s.api.Fail(r.Context(), c.Response(), call(c), "", err)
}

// page reports whether a request that no route serves comes from somebody who looks at pages.
func page(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/v1/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}
