//go:build !lean

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
)

// webUI serves Temporal's web UI. It is put together from the UI server's routes instead of its Server, which ends the
// whole process when its port is taken and can't tell which port it got.
type webUI struct {
	listener net.Listener
	server   *http.Server
	done     chan error
}

func listenUI(addr string) (*webUI, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for Temporal's web UI: %w", err)
	}
	return &webUI{listener: listener, done: make(chan error, 1)}, nil
}

// serve answers until stop is called.
func (w *webUI) serve(frontend, namespace, codec string) error {
	handler, err := uiHandler(&config.Config{
		TemporalGRPCAddress: frontend,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		Codec:               config.Codec{Endpoint: codec},
		CORS:                config.CORS{CookieInsecure: true}, // plain HTTP on loopback
		DisableNewsFetch:    true,
		HideLogs:            true,
	})
	if err != nil {
		return fmt.Errorf("build Temporal's web UI: %w", err)
	}
	if host, ok := w.listener.Addr().(*net.TCPAddr); ok && host.IP.IsLoopback() {
		handler = localHostOnly(handler)
	}
	w.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { w.done <- w.server.Serve(w.listener) }()
	return nil
}

func uiHandler(cfg *config.Config) (http.Handler, error) {
	provider, err := config.NewConfigProviderWithRefresh(cfg)
	if err != nil {
		return nil, err
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	local, err := fs.Sub(assets, "local")
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure(),
		csrf.EnsureTokenCookie(false), middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, false)))
	route.SetHealthRoute(e)
	if err := route.SetAPIRoutes(e, provider, nil); err != nil {
		return nil, err
	}
	if err := route.SetUIRoutes(e, "", local, provider); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "/")
	return e, nil
}

// localHostOnly refuses other names for a loopback address: a page whose name is re-pointed here must not drive the UI.
func localHostOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "unknown host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (w *webUI) url() string {
	addr, err := resolve(w.listener.Addr().String())
	if err != nil {
		return ""
	}
	return "http://" + addr.dial()
}

// stop ends the UI; open requests have until ctx ends.
func (w *webUI) stop(ctx context.Context) error {
	if w.server == nil {
		return w.listener.Close()
	}
	if err := w.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stop Temporal's web UI: %w", err), w.server.Close())
	}
	if err := <-w.done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve Temporal's web UI: %w", err)
	}
	return nil
}
