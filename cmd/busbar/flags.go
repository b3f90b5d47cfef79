package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"busbar"
	"busbar/internal/keyring"
	"busbar/internal/webhook"
)

// temporalFlags say where Temporal is.
type temporalFlags struct {
	TemporalAddr      string `name:"temporal-addr" env:"BUSBAR_TEMPORAL_ADDR" default:"127.0.0.1:7233" help:"Temporal frontend; dev listens there."`
	TemporalNamespace string `name:"temporal-namespace" env:"BUSBAR_TEMPORAL_NAMESPACE" default:"default" help:"Temporal namespace."`
	TemporalTLSCert   string `name:"temporal-tls-cert" env:"BUSBAR_TEMPORAL_TLS_CERT" help:"PEM file of a client certificate."`
	TemporalTLSKey    string `name:"temporal-tls-key" env:"BUSBAR_TEMPORAL_TLS_KEY" help:"PEM file of its key."`
	TemporalTLSCA     string `name:"temporal-tls-ca" env:"BUSBAR_TEMPORAL_TLS_CA" help:"PEM file of the authorities that may sign the cluster's certificate."`
	EncryptPayloads   bool   `name:"encrypt-payloads" env:"BUSBAR_ENCRYPT_PAYLOADS" help:"Encrypt what Temporal stores, under the master key."`
}

// deliveryFlags say how webhooks are delivered.
type deliveryFlags struct {
	RetrySchedule   string           `name:"retry-schedule" env:"BUSBAR_RETRY_SCHEDULE" default:"5s,5m,30m,2h,5h,10h,14h,20h,24h" help:"Waits between attempts."`
	RetryJitter     float64          `name:"retry-jitter" env:"BUSBAR_RETRY_JITTER" default:"0.2" help:"Spread of the waits: 0.2 is ±20 %; 0 turns it off."`
	DeliveryTimeout time.Duration    `name:"delivery-timeout" env:"BUSBAR_DELIVERY_TIMEOUT" default:"15s" help:"Time for one attempt, connect to last body byte; at most 60s."`
	Retention       busbar.Retention `env:"BUSBAR_RETENTION" default:"720h" help:"How long events, runs, deliveries and attempts are kept; sandbox=168h,live=2160h tells the environments apart."`
	DisableAfter    time.Duration    `name:"disable-after" env:"BUSBAR_DISABLE_AFTER" default:"120h" help:"An endpoint that has failed for so long without a success is disabled."`
}

// apiFlags say how the API is served.
type apiFlags struct {
	PublicURL string `name:"public-url" env:"BUSBAR_PUBLIC_URL" help:"URL under which people and subscribers reach this; default: from --addr."`
}

// check refuses a URL that links could not be made from.
func (f apiFlags) check() error {
	if f.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(f.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("--public-url: it must look like https://busbar.example.com")
	}
	return nil
}

// secret reads a variable past the parser, whose help and errors would show it.
func secret(name string) string { return strings.TrimSpace(os.Getenv(name)) }

const masterKeyVariable = "BUSBAR_MASTER_KEY"

// masterKeyring reads the master key from the environment.
func masterKeyring() (*keyring.Keyring, error) {
	list := secret(masterKeyVariable)
	if list == "" {
		return nil, errors.New(masterKeyVariable + " is not set; set it to 32 random bytes in base64, for example from: openssl rand -base64 32")
	}
	ring, err := keyring.Parse(list)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", masterKeyVariable, err)
	}
	return ring, nil
}

// developmentKeyring reads the master key from the environment or, failing that, from a file that it makes.
func developmentKeyring(dir string) (*keyring.Keyring, error) {
	if secret(masterKeyVariable) != "" {
		return masterKeyring()
	}
	path := filepath.Join(dir, "master.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text, err = newMasterKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	ring, err := keyring.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read master key from %s: %w", path, err)
	}
	return ring, nil
}

// newMasterKey makes the file in one step, so that a crash leaves a whole key or none.
func newMasterKey(path string) ([]byte, error) {
	key, err := keyring.Generate()
	if err != nil {
		return nil, err
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(key + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return []byte(key), os.Rename(tmp, path)
}

// schedule checks the delivery flags.
func (f deliveryFlags) schedule() (webhook.Schedule, error) {
	s, err := webhook.ParseSchedule(f.RetrySchedule)
	if err != nil {
		return s, fmt.Errorf("--retry-schedule: %w", err)
	}
	if !(f.RetryJitter >= 0 && f.RetryJitter <= 1) { // not a number, too
		return s, fmt.Errorf("--retry-jitter: %v is not between 0 and 1", f.RetryJitter)
	}
	if f.DisableAfter <= 0 {
		return s, fmt.Errorf("--disable-after: %s is not above zero", f.DisableAfter)
	}
	return s, nil
}
