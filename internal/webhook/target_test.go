package webhook_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"busbar/internal/webhook"
)

// counting is a receiver that must not be reached.
func counting(t *testing.T) (server *httptest.Server, port string, hits *atomic.Int64) {
	t.Helper()
	hits = &atomic.Int64{}
	server = serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatalf("split address: %v", err)
	}
	return server, port, hits
}

func TestForbiddenTargetsAreNotDialled(t *testing.T) {
	t.Parallel()
	_, port, hits := counting(t)
	resolver := resolverOf(t, map[string][]string{
		"inside.test":   {"127.0.0.1"},
		"mapped.test":   {"::ffff:127.0.0.1"},
		"metadata.test": {"169.254.169.254"},
	})
	client := newClient(t, webhook.ClientConfig{Guard: newGuard(t, webhook.GuardConfig{Resolver: resolver})})
	for _, host := range []string{
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "localhost", "127.1", "2130706433", "0x7f.1",
		"inside.test", "INSIDE.test", "inside.test.", "mapped.test", "metadata.test", "169.254.169.254", "１２７.０.０.１",
	} {
		for _, sandbox := range []bool{false, true} {
			r := request(t, "http://"+host+":"+port)
			r.AllowHTTP = sandbox
			result := client.Send(t.Context(), r)
			wantClass(t, result, webhook.ClassForbidden)
			if result.StatusCode != 0 || strings.Contains(result.Err, "127.0.0.1") {
				t.Errorf("%s: status %d, error %q", host, result.StatusCode, result.Err)
			}
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests arrived", hits.Load())
	}
}

func TestNameThatIsPointedElsewhereAfterTheCheck(t *testing.T) {
	t.Parallel()
	_, port, hits := counting(t)
	resolver := resolverOf(t, map[string][]string{"rebind.test": {"93.184.216.34", "127.0.0.1"}})
	guard := newGuard(t, webhook.GuardConfig{Resolver: resolver})
	rawURL := "http://rebind.test:" + port
	if err := guard.CheckURL(t.Context(), rawURL, true); err != nil {
		t.Fatalf("at save: %v", err)
	}
	r := request(t, rawURL)
	r.AllowHTTP = true
	client := newClient(t, webhook.ClientConfig{Guard: guard})
	wantClass(t, client.Send(t.Context(), r), webhook.ClassForbidden)
	if hits.Load() != 0 {
		t.Error("the request arrived inside")
	}
}

func TestPlainHTTPOutsideTheSandbox(t *testing.T) {
	t.Parallel()
	server, _, hits := counting(t)
	client := newClient(t, webhook.ClientConfig{})
	for _, sandbox := range []bool{false, true} {
		r := request(t, server.URL)
		r.AllowHTTP = sandbox
		wantClass(t, client.Send(t.Context(), r), webhook.ClassNone)
	}
	if hits.Load() != 2 {
		t.Errorf("%d of 2 arrived in the allowed range", hits.Load())
	}
	// Refused before the connection is begun: nothing leaves the machine.
	result := client.Send(t.Context(), request(t, "http://93.184.216.34/"))
	wantClass(t, result, webhook.ClassForbidden)
	if !strings.Contains(result.Err, "https") {
		t.Errorf("error is %q", result.Err)
	}
}

func TestUnknownName(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, webhook.GuardConfig{Resolver: resolverOf(t, nil)})
	client := newClient(t, webhook.ClientConfig{Guard: guard})
	result := client.Send(t.Context(), request(t, "https://nowhere.test/"))
	wantClass(t, result, webhook.ClassDNS)
	if !strings.Contains(result.Err, "does not exist") {
		t.Errorf("error is %q", result.Err)
	}
}

// TestProxiesOfTheEnvironmentAreIgnored is not parallel because it sets the environment.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	proxy, _, proxied := counting(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	_, port, hits := counting(t)
	// A name, because the standard library never uses a proxy for loopback addresses.
	resolver := resolverOf(t, map[string][]string{"hook.test": {"127.0.0.1"}})
	guard := newGuard(t, webhook.GuardConfig{Allow: allow(t, "127.0.0.0/8"), Resolver: resolver})
	client := newClient(t, webhook.ClientConfig{Guard: guard})
	wantClass(t, client.Send(t.Context(), request(t, "http://hook.test:"+port)), webhook.ClassNone)
	if hits.Load() != 1 || proxied.Load() != 0 {
		t.Errorf("%d arrived directly, %d through the proxy", hits.Load(), proxied.Load())
	}
}
