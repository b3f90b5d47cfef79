package api

import "busbar"

// APIKey is an API key as clients see it: never with the key itself.
type APIKey struct {
	ID         busbar.KeyID   `json:"id" example:"key_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	Name       string         `json:"name"`
	Hint       string         `json:"hint" doc:"How the key begins." example:"sk_test_4Fz1…"`
	Scopes     []busbar.Scope `json:"scopes"`
	CreatedAt  Time           `json:"createdAt"`
	ExpiresAt  Time           `json:"expiresAt,omitzero"`
	LastUsedAt Time           `json:"lastUsedAt,omitzero" doc:"To the minute."`
	RevokedAt  Time           `json:"revokedAt,omitzero"`
}

// CreatedAPIKey is a key with its text, which only this answer carries.
type CreatedAPIKey struct {
	APIKey
	Key string `json:"key" doc:"Keep it: it is shown once." example:"sk_test_…"`
}

func viewAPIKey(k *busbar.APIKey) APIKey {
	return APIKey{
		ID: k.ID, Name: k.Name, Hint: k.Hint, Scopes: k.Scopes, CreatedAt: Time(k.CreatedAt),
		ExpiresAt: Time(k.ExpiresAt), LastUsedAt: Time(k.LastUsedAt), RevokedAt: Time(k.RevokedAt),
	}
}
