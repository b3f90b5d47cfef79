package main

import (
	"context"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/password"
	"busbar/internal/store"
)

const (
	adminPasswordVariable = "BUSBAR_ADMIN_PASSWORD" //nolint:gosec // the name of a variable, not what is in it
	// adminName is who the variable and the first login link let in.
	adminName = "admin"
)

// ensureAdmin sees to it that somebody can sign in to the dashboard: with the password of the environment or, as long as
// nobody has chosen one, by a link that works once. It returns the link, empty when there is none.
func ensureAdmin(ctx context.Context, s *store.Store, url string) (string, error) {
	if text := secret(adminPasswordVariable); text != "" {
		if err := setAdminPassword(ctx, s, text); err != nil {
			return "", fmt.Errorf("%s: %w", adminPasswordVariable, err)
		}
		return "", nil
	}
	has, err := s.HasPasswords(ctx)
	if err != nil || has {
		return "", err
	}
	admin, err := ensureAdminUser(ctx, s)
	if err != nil {
		return "", err
	}
	token, err := busbar.NewToken()
	if err != nil {
		return "", err
	}
	if err := s.CreateLoginLink(ctx, busbar.HashToken(token), admin.ID, time.Now().Add(busbar.LoginLinkTime)); err != nil {
		return "", err
	}
	return url + "/welcome/" + token, nil
}

// ensureAdminUser finds the admin or makes one. Of two processes that start at once, one makes it and both find it.
func ensureAdminUser(ctx context.Context, s *store.Store) (busbar.User, error) {
	admin, err := s.UserByName(ctx, adminName)
	if busbar.CodeOf(err) != busbar.CodeNotFound {
		return admin, err
	}
	admin = busbar.User{ID: busbar.NewUserID(), Name: adminName, Role: busbar.RoleAdmin, CreatedAt: time.Now()}
	err = s.CreateUser(ctx, &admin)
	if busbar.CodeOf(err) == busbar.CodeConflict {
		return s.UserByName(ctx, adminName)
	}
	return admin, err
}

// setAdminPassword makes the configuration's password the admin's. The configuration has the last word: an admin who was
// disabled, or made less than an admin, is one again.
func setAdminPassword(ctx context.Context, s *store.Store, text string) error {
	if err := busbar.CheckPassword(text); err != nil {
		return err
	}
	admin, err := ensureAdminUser(ctx, s)
	if err != nil {
		return err
	}
	fits, err := password.Check(admin.PasswordHash, text)
	if err != nil {
		return err
	}
	if fits && admin.Enabled() && admin.Role == busbar.RoleAdmin {
		return nil // and whoever is signed in stays so
	}
	hash := admin.PasswordHash
	if !fits {
		if hash, err = password.Hash(text); err != nil {
			return err
		}
	}
	_, err = s.UpdateUser(ctx, admin.ID, func(u *busbar.User) error {
		u.PasswordHash, u.Role, u.DisabledAt = hash, busbar.RoleAdmin, time.Time{}
		return nil
	})
	return err
}
