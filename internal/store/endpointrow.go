package store

import (
	"encoding/json"
	"fmt"
	"time"

	"busbar"
)

// endpointRow is a row of endpoints.
type endpointRow struct {
	ID             string  `gorm:"column:id;primaryKey"`
	Environment    string  `gorm:"column:environment"`
	URL            string  `gorm:"column:url"`
	Description    string  `gorm:"column:description"`
	EventTypes     string  `gorm:"column:event_types"`
	Headers        []byte  `gorm:"column:headers"`
	PayloadFormat  string  `gorm:"column:payload_format"`
	Filter         string  `gorm:"column:filter"`
	RateLimit      float64 `gorm:"column:rate_limit"`
	MaxInFlight    int     `gorm:"column:max_in_flight"`
	Timeout        int64   `gorm:"column:timeout"`
	Signing        string  `gorm:"column:signing"`
	Enabled        bool    `gorm:"column:enabled"`
	DisabledReason string  `gorm:"column:disabled_reason"`
	DisabledAt     int64   `gorm:"column:disabled_at"`
	CreatedAt      int64   `gorm:"column:created_at"`
	UpdatedAt      int64   `gorm:"column:updated_at;autoUpdateTime:false"`
}

// TableName names the table for gorm.
func (endpointRow) TableName() string { return "endpoints" }

func (r *endpointRow) position() position { return position{r.CreatedAt, r.ID} }

func headersContext(id string) string { return "endpoint_headers:" + id }

func (s *Store) newEndpointRow(e *busbar.Endpoint) (endpointRow, error) {
	types, err := json.Marshal(e.EventTypes)
	if err != nil {
		return endpointRow{}, fmt.Errorf("write event types: %w", err)
	}
	row := endpointRow{
		ID: string(e.ID), Environment: string(e.Environment), URL: e.URL, Description: e.Description,
		EventTypes: string(types), PayloadFormat: string(e.PayloadFormat), Filter: e.Filter, RateLimit: e.RateLimit, MaxInFlight: e.MaxInFlight,
		Timeout: e.Timeout.Microseconds(), Signing: string(e.Signing), Enabled: e.Enabled,
		DisabledReason: e.DisabledReason, DisabledAt: micros(e.DisabledAt),
		CreatedAt: micros(e.CreatedAt), UpdatedAt: micros(e.UpdatedAt),
	}
	if len(e.Headers) == 0 {
		return row, nil
	}
	headers, err := json.Marshal(e.Headers)
	if err != nil {
		return endpointRow{}, fmt.Errorf("write headers: %w", err)
	}
	if row.Headers, err = s.keyring.Seal(headers, headersContext(row.ID)); err != nil {
		return endpointRow{}, fmt.Errorf("seal headers: %w", err)
	}
	return row, nil
}

func (s *Store) endpoint(r *endpointRow) (busbar.Endpoint, error) {
	e := busbar.Endpoint{
		ID: busbar.EndpointID(r.ID), Environment: busbar.Environment(r.Environment), URL: r.URL, Description: r.Description,
		PayloadFormat: busbar.PayloadFormat(r.PayloadFormat), Filter: r.Filter, RateLimit: r.RateLimit, MaxInFlight: r.MaxInFlight,
		Timeout: time.Duration(r.Timeout) * time.Microsecond, Signing: busbar.Signing(r.Signing), Enabled: r.Enabled,
		DisabledReason: r.DisabledReason, DisabledAt: fromMicros(r.DisabledAt),
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
	if err := json.Unmarshal([]byte(r.EventTypes), &e.EventTypes); err != nil {
		return e, fmt.Errorf("read event types of %s: %w", r.ID, err)
	}
	if len(r.Headers) == 0 {
		return e, nil
	}
	headers, err := s.keyring.Open(r.Headers, headersContext(r.ID))
	if err != nil {
		return e, fmt.Errorf("open headers of %s: %w", r.ID, err)
	}
	if err := json.Unmarshal(headers, &e.Headers); err != nil {
		return e, fmt.Errorf("read headers of %s: %w", r.ID, err)
	}
	return e, nil
}

// signingKeyRow is a row of signing_keys.
type signingKeyRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	EndpointID string `gorm:"column:endpoint_id"`
	Kind       string `gorm:"column:kind"`
	Secret     []byte `gorm:"column:secret"`
	PublicKey  string `gorm:"column:public_key"`
	CreatedAt  int64  `gorm:"column:created_at"`
	ExpiresAt  int64  `gorm:"column:expires_at"`
}

// TableName names the table for gorm.
func (signingKeyRow) TableName() string { return "signing_keys" }

func (r *signingKeyRow) context() string { return "signing_key:" + r.EndpointID + ":" + r.ID }

func (s *Store) newSigningKeyRow(k *busbar.SigningKey) (signingKeyRow, error) {
	row := signingKeyRow{
		ID: k.ID, EndpointID: string(k.EndpointID), Kind: string(k.Kind), PublicKey: k.PublicKey,
		CreatedAt: micros(k.CreatedAt), ExpiresAt: micros(k.ExpiresAt),
	}
	var err error
	if row.Secret, err = s.keyring.Seal([]byte(k.Secret), row.context()); err != nil {
		return signingKeyRow{}, fmt.Errorf("seal signing key: %w", err)
	}
	return row, nil
}

func (s *Store) signingKey(r *signingKeyRow) (busbar.SigningKey, error) {
	secret, err := s.keyring.Open(r.Secret, r.context())
	if err != nil {
		return busbar.SigningKey{}, fmt.Errorf("open signing key of %s: %w", r.EndpointID, err)
	}
	return busbar.SigningKey{
		ID: r.ID, EndpointID: busbar.EndpointID(r.EndpointID), Kind: busbar.KeyKind(r.Kind), Secret: string(secret),
		PublicKey: r.PublicKey, CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
	}, nil
}
