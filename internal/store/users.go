package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"busbar"
)

type userRow struct {
	ID           string `gorm:"column:id;primaryKey"`
	Name         string `gorm:"column:name"`
	Role         string `gorm:"column:role"`
	PasswordHash string `gorm:"column:password_hash"`
	CreatedAt    int64  `gorm:"column:created_at"`
	LastSeenAt   int64  `gorm:"column:last_seen_at"`
	DisabledAt   int64  `gorm:"column:disabled_at"`
}

// TableName names the table for gorm.
func (userRow) TableName() string { return "users" }

func (r *userRow) position() position { return position{r.CreatedAt, r.ID} }

func newUserRow(u *busbar.User) userRow {
	return userRow{
		ID: string(u.ID), Name: u.Name, Role: string(u.Role), PasswordHash: u.PasswordHash, CreatedAt: micros(u.CreatedAt),
		LastSeenAt: micros(u.LastSeenAt), DisabledAt: micros(u.DisabledAt),
	}
}

func (r *userRow) user() (busbar.User, error) {
	return busbar.User{
		ID: busbar.UserID(r.ID), Name: r.Name, Role: busbar.Role(r.Role), PasswordHash: r.PasswordHash,
		CreatedAt: fromMicros(r.CreatedAt), LastSeenAt: fromMicros(r.LastSeenAt), DisabledAt: fromMicros(r.DisabledAt),
	}, nil
}

// CreateUser adds a person. A name that is taken is a CONFLICT.
func (s *Store) CreateUser(ctx context.Context, u *busbar.User) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		var have int64
		if err := db.Model(&userRow{}).Count(&have).Error; err != nil {
			return fmt.Errorf("count users: %w", err)
		}
		if have >= busbar.MaxUsers {
			return busbar.Errorf(busbar.CodeConflict, "there are at most %d users; delete one first", busbar.MaxUsers)
		}
		row := newUserRow(u)
		err := db.Create(&row).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return busbar.Errorf(busbar.CodeConflict, "there is a user with this name already")
		}
		if err != nil {
			return fmt.Errorf("insert user: %w", err)
		}
		return nil
	})
}

// Users gives the people, newest first.
func (s *Store) Users(ctx context.Context, req busbar.PageRequest) (busbar.Page[busbar.User], error) {
	// users_list
	return page(s.read.WithContext(ctx), req, "created_at", (*userRow).position, (*userRow).user)
}

// User gives one person, or NOT_FOUND.
func (s *Store) User(ctx context.Context, id busbar.UserID) (busbar.User, error) {
	return takeUser(s.read.WithContext(ctx), id)
}

func takeUser(db *gorm.DB, id busbar.UserID) (busbar.User, error) {
	var row userRow
	if err := db.Where("id = ?", string(id)).Take(&row).Error; err != nil {
		return busbar.User{}, notFound(err, "user", string(id))
	}
	return row.user()
}

// UserByName gives one person, or NOT_FOUND.
func (s *Store) UserByName(ctx context.Context, name string) (busbar.User, error) {
	var row userRow
	// The unique index of users.name.
	if err := s.read.WithContext(ctx).Where("name = ?", name).Take(&row).Error; err != nil {
		return busbar.User{}, notFound(err, "user", name)
	}
	return row.user()
}

// UpdateUser changes a person and returns them as they then are. What leaves no admin who may sign in is a CONFLICT.
// Whoever is disabled, or has another password, is signed out everywhere.
func (s *Store) UpdateUser(ctx context.Context, id busbar.UserID, change func(*busbar.User) error) (busbar.User, error) {
	var u busbar.User
	err := s.write(ctx, s.durable, func(db *gorm.DB) error {
		was, err := takeUser(db, id)
		if err != nil {
			return err
		}
		u = was
		if err := change(&u); err != nil {
			return err
		}
		u.ID, u.CreatedAt = was.ID, was.CreatedAt
		row := newUserRow(&u)
		err = db.Save(&row).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return busbar.Errorf(busbar.CodeConflict, "there is a user with this name already")
		}
		if err != nil {
			return fmt.Errorf("save user: %w", err)
		}
		if !u.Enabled() || u.PasswordHash != was.PasswordHash {
			if err := endSessions(db, id); err != nil {
				return err
			}
		}
		if was.Enabled() && was.Role == busbar.RoleAdmin {
			return keepAdmin(db)
		}
		return nil
	})
	return u, err
}

// keepAdmin refuses a transaction after which nobody could see to users.
func keepAdmin(db *gorm.DB) error {
	var admins int64
	// A scan of at most MaxUsers rows.
	err := db.Model(&userRow{}).Where("role = ? AND disabled_at = 0", string(busbar.RoleAdmin)).Count(&admins).Error
	if err != nil {
		return fmt.Errorf("count admins: %w", err)
	}
	if admins == 0 {
		return busbar.Errorf(busbar.CodeConflict, "this is the last admin; make another user an admin first")
	}
	return nil
}

// DeleteUser removes a person with their sessions and links. The last admin stays, with CONFLICT.
func (s *Store) DeleteUser(ctx context.Context, id busbar.UserID) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		if _, err := takeUser(db, id); err != nil {
			return err
		}
		if err := endSessions(db, id); err != nil {
			return err
		}
		if err := db.Where("id = ?", string(id)).Delete(&userRow{}).Error; err != nil {
			return fmt.Errorf("delete user: %w", err)
		}
		return keepAdmin(db)
	})
}

// endSessions signs a person out everywhere and takes back their links.
func endSessions(db *gorm.DB, id busbar.UserID) error {
	// sessions_by_user
	if err := db.Where("user_id = ?", string(id)).Delete(&sessionRow{}).Error; err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	// login_links_by_user
	if err := db.Where("user_id = ?", string(id)).Delete(&loginLinkRow{}).Error; err != nil {
		return fmt.Errorf("delete login links: %w", err)
	}
	return nil
}

// HasPasswords reports whether anybody has chosen a password yet.
func (s *Store) HasPasswords(ctx context.Context) (bool, error) {
	var n int64
	// A scan of at most MaxUsers rows.
	err := s.read.WithContext(ctx).Model(&userRow{}).Where("password_hash <> ''").Count(&n).Error
	if err != nil {
		return false, translate(fmt.Errorf("look for passwords: %w", err))
	}
	return n > 0, nil
}
