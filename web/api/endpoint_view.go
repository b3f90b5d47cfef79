package api

import (
	"time"

	"busbar"
	"busbar/internal/webhook"
)

// Endpoint is an endpoint as clients see it: never with a secret.
type Endpoint struct {
	ID             busbar.EndpointID    `json:"id" example:"ep_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	URL            string               `json:"url" example:"https://example.com/hook"`
	Description    string               `json:"description"`
	EventTypes     []string             `json:"eventTypes" doc:"Names and globs; empty is all but operational, * is all."`
	Headers        map[string]string    `json:"headers" doc:"Names; values are not shown."`
	PayloadFormat  busbar.PayloadFormat `json:"payloadFormat" enum:"enveloped,flat"`
	Filter         *string              `json:"filter" doc:"A condition over type and data; null wants every event of its types." example:"data.state.level >= 99"`
	RateLimit      *float64             `json:"rateLimit" doc:"Deliveries a second; null is no limit."`
	MaxInFlight    int                  `json:"maxInFlight"`
	Timeout        string               `json:"timeout" doc:"A Go duration." example:"15s"`
	Signing        busbar.Signing       `json:"signing" enum:"hmac,ed25519,both"`
	Enabled        bool                 `json:"enabled"`
	DisabledReason string               `json:"disabledReason,omitempty"`
	DisabledAt     Time                 `json:"disabledAt,omitzero"`
	Circuit        Circuit              `json:"circuit"`
	PublicKey      string               `json:"publicKey,omitempty" doc:"The newest ed25519 key, whpk_…" example:"whpk_…"`
	CreatedAt      Time                 `json:"createdAt"`
	UpdatedAt      Time                 `json:"updatedAt"`
}

// CreatedEndpoint is an endpoint with the secret that only this answer carries.
type CreatedEndpoint struct {
	Endpoint
	Secret string `json:"secret,omitempty" doc:"whsec_ and base64 of 32 bytes; absent when signing is ed25519." example:"whsec_…"`
}

// Secrets are the keys that sign for an endpoint.
type Secrets struct {
	Secret    string `json:"secret,omitempty" doc:"The newest HMAC secret." example:"whsec_…"`
	PublicKey string `json:"publicKey,omitempty" doc:"The newest ed25519 public key." example:"whpk_…"`
	Keys      []Key  `json:"keys" doc:"All keys that sign now, oldest first."`
}

// Key is one signing key: its secret for HMAC, its public half for ed25519.
type Key struct {
	ID        string         `json:"id"`
	Kind      busbar.KeyKind `json:"kind" enum:"hmac,ed25519"`
	Secret    string         `json:"secret,omitempty"`
	PublicKey string         `json:"publicKey,omitempty"`
	CreatedAt Time           `json:"createdAt"`
	ExpiresAt Time           `json:"expiresAt,omitzero" doc:"When it stops signing."`
}

func (a *API) viewEndpoint(e *busbar.Endpoint, keys []busbar.SigningKey) Endpoint {
	v := Endpoint{
		ID: e.ID, URL: e.URL, Description: e.Description, EventTypes: e.EventTypes, Headers: make(map[string]string, len(e.Headers)),
		PayloadFormat: e.PayloadFormat, MaxInFlight: e.MaxInFlight, Timeout: a.timeoutOf(e).String(), Signing: e.Signing,
		Enabled: e.Enabled, DisabledReason: e.DisabledReason, DisabledAt: Time(e.DisabledAt), Circuit: viewCircuit(e.Circuit),
		CreatedAt: Time(e.CreatedAt), UpdatedAt: Time(e.UpdatedAt), PublicKey: viewSecrets(keys).PublicKey,
	}
	if e.Filter != "" {
		v.Filter = &e.Filter
	}
	if e.RateLimit > 0 {
		v.RateLimit = &e.RateLimit
	}
	if v.EventTypes == nil {
		v.EventTypes = []string{}
	}
	for name := range e.Headers {
		v.Headers[name] = webhook.Masked
	}
	return v
}

func (a *API) timeoutOf(e *busbar.Endpoint) time.Duration {
	if e.Timeout > 0 {
		return e.Timeout
	}
	return a.DeliveryTimeout
}

// viewSecrets never shows the private half of an ed25519 key.
func viewSecrets(keys []busbar.SigningKey) Secrets {
	s := Secrets{Keys: []Key{}}
	for _, k := range keys {
		v := Key{ID: k.ID, Kind: k.Kind, PublicKey: k.PublicKey, CreatedAt: Time(k.CreatedAt), ExpiresAt: Time(k.ExpiresAt)}
		switch k.Kind {
		case busbar.KeyHMAC:
			v.Secret, s.Secret = k.Secret, k.Secret
		case busbar.KeyEd25519:
			s.PublicKey = k.PublicKey
		}
		s.Keys = append(s.Keys, v)
	}
	return s
}
