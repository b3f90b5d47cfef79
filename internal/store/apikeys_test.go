package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

func TestAPIKeyLivesFromCreationToRevocation(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		other := s.reopen(t)
		text, err := busbar.NewKey(busbar.Live)
		if err != nil {
			t.Fatal(err)
		}
		key := busbar.APIKey{
			ID: busbar.NewKeyID(), Environment: busbar.Live, Name: "gateway", Hint: busbar.KeyHint(text),
			Hash: busbar.HashKey(text), Scopes: []busbar.Scope{busbar.ScopeEventsWrite, busbar.ScopeRead},
			CreatedAt: s.clock.now(), ExpiresAt: s.clock.now().Add(time.Hour),
		}
		if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateAPIKey(&key) }); err != nil {
			t.Fatal(err)
		}
		got, err := other.KeyByHash(t.Context(), key.Hash)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(key, got); diff != "" {
			t.Errorf("key changed on its way:\n%s", diff)
		}
		_, err = s.KeyByHash(t.Context(), busbar.HashKey(text+"x"))
		wantCode(t, err, busbar.CodeInvalidAPIKey)

		_, err = s.RevokeAPIKey(t.Context(), busbar.Sandbox, key.ID)
		wantCode(t, err, busbar.CodeNotFound)
		revoked := s.clock.now()
		if _, err := s.RevokeAPIKey(t.Context(), busbar.Live, key.ID); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(time.Minute)
		if _, err := s.RevokeAPIKey(t.Context(), busbar.Live, key.ID); err != nil {
			t.Fatalf("revoke again: %v", err)
		}
		got, err = other.KeyByHash(t.Context(), key.Hash)
		if err != nil {
			t.Fatal(err)
		}
		if !got.RevokedAt.Equal(revoked) {
			t.Errorf("revoked at %v, want the first time, %v", got.RevokedAt, revoked)
		}
		wantCode(t, got.Usable(s.clock.now()), busbar.CodeInvalidAPIKey)
	})
}

func TestLastUseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		const text = "sk_live_0123456789012345678901234567"
		if err := s.EnsureBootstrapKey(t.Context(), busbar.Live, text); err != nil {
			t.Fatal(err)
		}
		touch := func() time.Time {
			t.Helper()
			key, err := s.KeyByHash(t.Context(), busbar.HashKey(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.TouchAPIKey(t.Context(), &key); err != nil {
				t.Fatal(err)
			}
			if key, err = s.KeyByHash(t.Context(), busbar.HashKey(text)); err != nil {
				t.Fatal(err)
			}
			return key.LastUsedAt
		}
		first := s.clock.now()
		if got := touch(); !got.Equal(first) {
			t.Errorf("first use: %v, want %v", got, first)
		}
		s.clock.advance(59 * time.Second)
		if got := touch(); !got.Equal(first) {
			t.Errorf("59 s later: %v, want still %v", got, first)
		}
		s.clock.advance(time.Second)
		if got := touch(); !got.Equal(s.clock.now()) {
			t.Errorf("a minute later: %v, want %v", got, s.clock.now())
		}
	})
}

func TestBootstrapKeyFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		const (
			first  = "sk_test_first_0123456789012345678901"
			second = "sk_test_second_012345678901234567890"
			live   = "sk_live_other_0123456789012345678901"
		)
		ensure := func(env busbar.Environment, key string) {
			t.Helper()
			if err := s.EnsureBootstrapKey(t.Context(), env, key); err != nil {
				t.Fatal(err)
			}
		}
		usable := func(key string, want bool) {
			t.Helper()
			k, err := s.KeyByHash(t.Context(), busbar.HashKey(key))
			if err != nil {
				t.Fatal(err)
			}
			if got := k.Usable(s.clock.now()) == nil; got != want {
				t.Errorf("%s usable: %v, want %v", k.Hint, got, want)
			}
			if !k.Allows(busbar.ScopeRules) {
				t.Errorf("%s lacks a scope", k.Hint)
			}
		}
		ensure(busbar.Live, live)
		ensure(busbar.Sandbox, first)
		ensure(busbar.Sandbox, first)
		list, err := s.ListAPIKeys(t.Context(), busbar.Sandbox, busbar.PageRequest{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 {
			t.Fatalf("%d keys after the same one was ensured twice", len(list.Items))
		}
		usable(first, true)
		ensure(busbar.Sandbox, second)
		usable(first, false)
		usable(second, true)
		usable(live, true)
		ensure(busbar.Sandbox, first)
		usable(first, true)
		usable(second, false)
		if err := s.EnsureBootstrapKey(t.Context(), busbar.Live, first); err == nil {
			t.Error("a sandbox key became a live one")
		}
	})
}

func TestIssuedKeyReplacesTheOneBefore(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		issue := func(env busbar.Environment, text string) error {
			key := busbar.APIKey{
				ID: "key_of_a_part", Environment: env, Name: "a part", Hint: busbar.KeyHint(text), Hash: busbar.HashKey(text),
				Scopes: []busbar.Scope{busbar.ScopeRead}, CreatedAt: s.clock.now(),
			}
			return s.IssueKey(t.Context(), &key)
		}
		usable := func(text string) bool {
			key, err := s.KeyByHash(t.Context(), busbar.HashKey(text))
			return err == nil && key.Usable(s.clock.now()) == nil && key.Allows(busbar.ScopeRead)
		}
		if err := issue(busbar.Sandbox, "sk_test_first"); err != nil || !usable("sk_test_first") {
			t.Fatalf("an issued key is not usable: %v", err)
		}
		if _, err := s.RevokeAPIKey(t.Context(), busbar.Sandbox, "key_of_a_part"); err != nil {
			t.Fatal(err)
		}
		if usable("sk_test_first") {
			t.Error("a revoked key is usable")
		}
		s.clock.advance(time.Minute)
		if err := issue(busbar.Sandbox, "sk_test_second"); err != nil || usable("sk_test_first") || !usable("sk_test_second") {
			t.Errorf("the second key has not taken the place of the first: %v", err)
		}
		if err := issue(busbar.Live, "sk_live_other"); err == nil || usable("sk_live_other") || !usable("sk_test_second") {
			t.Errorf("a key was moved to another environment: %v", err)
		}
		list, err := s.ListAPIKeys(t.Context(), busbar.Sandbox, busbar.PageRequest{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 || !list.Items[0].CreatedAt.Equal(s.clock.now()) {
			t.Errorf("keys = %+v, want one, of now", list.Items)
		}
	})
}
