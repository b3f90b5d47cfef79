//go:build !lean

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"

	"busbar/internal/embedded/dirlock"
)

// startTries is how often Start looks for other inner ports when another process took one of them first.
const startTries = 3

// Server is a running Temporal server. Its methods are safe for concurrent use.
type Server struct {
	frontend address
	temporal temporal.Server
	ui       *webUI
	lock     *dirlock.Lock
	quiet    *atomic.Bool
}

// Start runs a Temporal server and returns once it takes calls. Errors are one clear line: a directory that another
// process uses, files of another server version, a port that is taken.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	s := &Server{quiet: &atomic.Bool{}}
	if err := s.start(ctx, cfg); err != nil {
		s.quiet.Store(true)
		return nil, errors.Join(err, s.close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, cfg Config) error {
	var err error
	if cfg.PostgresDSN == "" {
		if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
			return fmt.Errorf("create data directory: %w", err)
		}
		if s.lock, err = dirlock.Acquire(cfg.DataDir, lockFile); err != nil {
			return err
		}
	}
	if s.frontend, err = chooseFrontend(cfg.FrontendAddr); err != nil {
		return err
	}
	if cfg.UIAddr != UIOff {
		if s.ui, err = listenUI(cfg.UIAddr); err != nil {
			return err
		}
	}
	stores, err := openStores(ctx, cfg)
	if err != nil {
		return err
	}
	logger := &serverLogger{logger: cfg.Logger.With(slog.String("component", "temporal")), level: cfg.LogLevel, quiet: s.quiet}
	if s.temporal, err = startTemporal(ctx, stores, s.frontend, logger); err != nil {
		return err
	}
	if s.ui != nil {
		return s.ui.serve(s.frontend.dial(), cfg.Namespace, cfg.UICodecEndpoint)
	}
	return nil
}

// chooseFrontend settles the frontend's port and says early when it is taken.
func chooseFrontend(addr string) (address, error) {
	frontend, err := resolve(addr)
	if err != nil {
		return address{}, err
	}
	if frontend.port == 0 {
		ports, err := freePorts(frontend.ip.String(), 1)
		if err != nil {
			return address{}, err
		}
		frontend.port = ports[0]
		return frontend, nil
	}
	if err := probePort(frontend.ip.String(), frontend.port); err != nil {
		return address{}, fmt.Errorf("listen for Temporal: %w", err)
	}
	return frontend, nil
}

func startTemporal(ctx context.Context, stores stores, frontend address, logger *serverLogger) (temporal.Server, error) {
	var taken error
	for range startTries {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("start Temporal server: %w", err)
		}
		inner, err := freePorts(loopback, 3)
		if err != nil {
			return nil, err
		}
		server, err := buildTemporal(stores, frontend, inner, logger)
		if errors.Is(err, syscall.EADDRINUSE) {
			taken = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("build Temporal server: %w", err)
		}
		if err := server.Start(); err != nil {
			return nil, fmt.Errorf("start Temporal server: %w", errors.Join(err, server.Stop()))
		}
		return server, nil
	}
	return nil, fmt.Errorf("start Temporal server: %w", taken)
}

// buildTemporal wires the server, which binds its ports; a fatal message of the server's becomes the error.
func buildTemporal(stores stores, frontend address, inner []int, logger *serverLogger) (server temporal.Server, err error) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case *fatalError:
			err = failure
		default:
			panic(failure)
		}
	}()
	cfg := serverConfig(stores, frontend, inner)
	return temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(frontend.dial()),
			primitives.HistoryService:  static.SingleLocalHost(localAddr(inner[0])),
			primitives.MatchingService: static.SingleLocalHost(localAddr(inner[1])),
			primitives.WorkerService:   static.SingleLocalHost(localAddr(inner[2])),
		}),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(settings()),
	)
}

func serverConfig(stores stores, frontend address, inner []int) *config.Config {
	return &config.Config{
		Global:      config.Global{Membership: config.Membership{BroadcastAddress: loopback}},
		Persistence: stores.persistence(),
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend.dial()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): rpcService(frontend.ip.String(), frontend.port),
			string(primitives.HistoryService):  rpcService(loopback, inner[0]),
			string(primitives.MatchingService): rpcService(loopback, inner[1]),
			string(primitives.WorkerService):   rpcService(loopback, inner[2]),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
		}},
		PublicClient: config.PublicClient{HostPort: frontend.dial()},
	}
}

func rpcService(ip string, port int) config.Service {
	return config.Service{RPC: config.RPC{BindOnIP: ip, GRPCPort: port}}
}

func localAddr(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}

// FrontendAddr is the host:port at which clients in this process reach the server.
func (s *Server) FrontendAddr() string { return s.frontend.dial() }

// UIURL is the address of the web UI, empty when it is off.
func (s *Server) UIURL() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.url()
}

// Stop ends the UI and the server and gives the data directory up. Clients and workers should be closed before. It
// returns when all is stopped or ctx ends; after that a caller can only end the process, which loses nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.quiet.Store(true)
	return s.close(ctx)
}

func (s *Server) close(ctx context.Context) error {
	var errs []error
	if s.ui != nil {
		errs = append(errs, s.ui.stop(ctx))
	}
	if s.temporal != nil {
		stopped := make(chan error, 1)
		go func() { stopped <- s.temporal.Stop() }()
		select {
		case err := <-stopped:
			if err != nil {
				errs = append(errs, fmt.Errorf("stop Temporal server: %w", err))
			}
		case <-ctx.Done():
			return errors.Join(append(errs, fmt.Errorf("stop Temporal server: %w", ctx.Err()))...)
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Release())
	}
	return errors.Join(errs...)
}
