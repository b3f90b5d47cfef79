package temporal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Options say which cluster to talk to and how.
type Options struct {
	// Addr is the host:port of the cluster's frontend. Required.
	Addr string
	// Namespace is the Temporal namespace that holds Busbar's workflows. Required.
	Namespace string
	// TLSCert and TLSKey are PEM files of a client certificate; both or neither.
	TLSCert, TLSKey string
	// TLSCA is a PEM file of the authorities that may have signed the cluster's certificate; empty means the system's.
	TLSCA string
	// APIKey is sent as a bearer token. It implies TLS.
	APIKey string
	// Logger takes the SDK's messages. Required.
	Logger *slog.Logger
	// Sealer, when set, encrypts every payload and failure message before it leaves the process.
	Sealer Sealer
}

// Dial connects to the cluster and returns once its frontend has answered, or when ctx ends. The error is one line that
// names the address.
func Dial(ctx context.Context, opts Options) (client.Client, error) {
	sdkOpts, err := opts.clientOptions()
	if err != nil {
		return nil, err
	}
	c, err := client.DialContext(ctx, sdkOpts)
	if err != nil {
		return nil, unreachable(opts.Addr, err)
	}
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		c.Close()
		return nil, unreachable(opts.Addr, err)
	}
	return c, nil
}

// NewLazy returns a client that connects at its first call, for when the cluster may be away at the moment. The error
// is about the options only.
func NewLazy(opts Options) (client.Client, error) {
	sdkOpts, err := opts.clientOptions()
	if err != nil {
		return nil, err
	}
	c, err := client.NewLazyClient(sdkOpts)
	if err != nil {
		return nil, fmt.Errorf("create Temporal client: %w", err)
	}
	return c, nil
}

func unreachable(addr string, err error) error {
	return fmt.Errorf("cannot reach Temporal at %s: %w", addr, err)
}

// reconnect comes back to a cluster within a second of its return; gRPC's own backoff grows to ten and more.
var reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff: backoff.Config{
		BaseDelay: 200 * time.Millisecond, Multiplier: backoff.DefaultConfig.Multiplier,
		Jitter: backoff.DefaultConfig.Jitter, MaxDelay: time.Second,
	},
	MinConnectTimeout: 5 * time.Second,
})

func (o Options) clientOptions() (client.Options, error) {
	switch {
	case o.Addr == "":
		return client.Options{}, errors.New("configure Temporal client: address is empty")
	case o.Namespace == "":
		return client.Options{}, errors.New("configure Temporal client: namespace is empty")
	case o.Logger == nil:
		return client.Options{}, errors.New("configure Temporal client: logger is missing")
	}
	tlsConfig, err := o.tlsConfig()
	if err != nil {
		return client.Options{}, fmt.Errorf("configure Temporal client: %w", err)
	}
	sdkOpts := client.Options{
		HostPort:          o.Addr,
		Namespace:         o.Namespace,
		Logger:            NewLogger(o.Logger),
		ConnectionOptions: client.ConnectionOptions{TLS: tlsConfig, DialOptions: []grpc.DialOption{reconnect}},
	}
	if o.APIKey != "" {
		sdkOpts.Credentials = client.NewAPIKeyStaticCredentials(o.APIKey)
	}
	if o.Sealer != nil {
		sdkOpts.DataConverter = converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), NewCodec(o.Sealer))
		sdkOpts.FailureConverter = sdktemporal.NewDefaultFailureConverter(sdktemporal.DefaultFailureConverterOptions{
			DataConverter:          sdkOpts.DataConverter,
			EncodeCommonAttributes: true,
		})
	}
	return sdkOpts, nil
}

// tlsConfig returns nil when no TLS option is set: plain text, or the SDK's own TLS when there is an API key.
func (o Options) tlsConfig() (*tls.Config, error) {
	if o.TLSCert == "" && o.TLSKey == "" && o.TLSCA == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return nil, errors.New("a client certificate needs both its certificate and its key")
	}
	if o.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if o.TLSCA != "" {
		pem, err := os.ReadFile(o.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificate authorities: no certificate in %s", o.TLSCA)
		}
	}
	return config, nil
}
