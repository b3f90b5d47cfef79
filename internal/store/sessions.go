package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// sessionTouch is how exact a session's last use is, so that somebody at work costs few writes.
const sessionTouch = 10 * time.Minute

type sessionRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	UserID     string `gorm:"column:user_id"`
	Hash       []byte `gorm:"column:hash"`
	Address    string `gorm:"column:address"`
	UserAgent  string `gorm:"column:user_agent"`
	CreatedAt  int64  `gorm:"column:created_at"`
	LastSeenAt int64  `gorm:"column:last_seen_at"`
	ExpiresAt  int64  `gorm:"column:expires_at"`
}

// TableName names the table for gorm.
func (sessionRow) TableName() string { return "sessions" }

func (r *sessionRow) session() (busbar.Session, error) {
	s := busbar.Session{
		ID: busbar.SessionID(r.ID), UserID: busbar.UserID(r.UserID), Address: r.Address, UserAgent: r.UserAgent,
		CreatedAt: fromMicros(r.CreatedAt), LastSeenAt: fromMicros(r.LastSeenAt), ExpiresAt: fromMicros(r.ExpiresAt),
	}
	if copy(s.Hash[:], r.Hash) != len(s.Hash) {
		return s, fmt.Errorf("read session %s: its hash has %d bytes", r.ID, len(r.Hash))
	}
	return s, nil
}

type loginLinkRow struct {
	Hash      []byte `gorm:"column:hash;primaryKey"`
	UserID    string `gorm:"column:user_id"`
	ExpiresAt int64  `gorm:"column:expires_at"`
}

// TableName names the table for gorm.
func (loginLinkRow) TableName() string { return "login_links" }

// notSignedIn is the answer to a token of no session.
func notSignedIn() error { return busbar.Errorf(busbar.CodeUnauthorized, "you are not signed in") }

// CreateSession signs a person in and notes when they were seen.
func (s *Store) CreateSession(ctx context.Context, session *busbar.Session) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error { return createSession(db, session) })
}

func createSession(db *gorm.DB, session *busbar.Session) error {
	row := sessionRow{
		ID: string(session.ID), UserID: string(session.UserID), Hash: session.Hash[:], Address: session.Address,
		UserAgent: session.UserAgent, CreatedAt: micros(session.CreatedAt), LastSeenAt: micros(session.LastSeenAt),
		ExpiresAt: micros(session.ExpiresAt),
	}
	if err := db.Create(&row).Error; err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	err := db.Model(&userRow{}).Where("id = ?", row.UserID).Update("last_seen_at", row.CreatedAt).Error
	if err != nil {
		return fmt.Errorf("touch user: %w", err)
	}
	return nil
}

// SessionByHash finds a session and its person; UNAUTHORIZED when there is none, when it has expired or its person may
// not sign in. It reads by unique index each time, so that revoking takes effect at once in every process.
func (s *Store) SessionByHash(ctx context.Context, hash busbar.TokenHash) (busbar.Session, busbar.User, error) {
	var row sessionRow
	db := s.read.WithContext(ctx)
	// The unique index of sessions.hash.
	err := db.Where("hash = ? AND expires_at > ?", hash[:], micros(s.now())).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return busbar.Session{}, busbar.User{}, notSignedIn()
	}
	if err != nil {
		return busbar.Session{}, busbar.User{}, translate(fmt.Errorf("look up session: %w", err))
	}
	session, err := row.session()
	if err != nil {
		return session, busbar.User{}, err
	}
	user, err := takeUser(db, session.UserID)
	if busbar.CodeOf(err) == busbar.CodeNotFound || err == nil && !user.Enabled() {
		return busbar.Session{}, busbar.User{}, notSignedIn()
	}
	return session, user, err
}

// TouchSession records that a session was used now and makes it last longer. It writes at most every ten minutes.
func (s *Store) TouchSession(ctx context.Context, session *busbar.Session) error {
	now := s.now()
	stale := now.Add(-sessionTouch)
	if session.LastSeenAt.After(stale) {
		return nil
	}
	return s.write(ctx, s.relaxed, func(db *gorm.DB) error {
		err := db.Model(&sessionRow{}).Where("id = ? AND last_seen_at <= ?", string(session.ID), micros(stale)).
			Updates(map[string]any{"last_seen_at": micros(now), "expires_at": micros(now.Add(busbar.SessionTime))}).Error
		if err != nil {
			return fmt.Errorf("touch session: %w", err)
		}
		return nil
	})
}

// maxSessionsShown bounds a list that has no pages: nobody signs in with more browsers.
const maxSessionsShown = 100

// SessionsOf gives the sessions of a person that have not expired, newest first, at most a hundred.
func (s *Store) SessionsOf(ctx context.Context, id busbar.UserID) ([]busbar.Session, error) {
	var rows []sessionRow
	// sessions_by_user
	err := s.read.WithContext(ctx).Where("user_id = ? AND expires_at > ?", string(id), micros(s.now())).
		Order("created_at DESC").Limit(maxSessionsShown).Find(&rows).Error
	if err != nil {
		return nil, translate(fmt.Errorf("read sessions: %w", err))
	}
	sessions := make([]busbar.Session, 0, len(rows))
	for i := range rows {
		session, err := rows[i].session()
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, session)
	}
	return sessions, nil
}

// EndSession ends a session of a person, at once and everywhere. One that is gone already is no error.
func (s *Store) EndSession(ctx context.Context, user busbar.UserID, id busbar.SessionID) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		if err := db.Where("id = ? AND user_id = ?", string(id), string(user)).Delete(&sessionRow{}).Error; err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		return nil
	})
}

// CreateLoginLink adds a link that lets a person in once.
func (s *Store) CreateLoginLink(ctx context.Context, hash busbar.TokenHash, user busbar.UserID, expires time.Time) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		row := loginLinkRow{Hash: hash[:], UserID: string(user), ExpiresAt: micros(expires)}
		if err := db.Create(&row).Error; err != nil {
			return fmt.Errorf("insert login link: %w", err)
		}
		return nil
	})
}

// LoginLinkUser tells whom a link lets in, without using it up; UNAUTHORIZED when it lets nobody in.
func (s *Store) LoginLinkUser(ctx context.Context, hash busbar.TokenHash) (busbar.User, error) {
	return s.linkUser(s.read.WithContext(ctx), hash)
}

func (s *Store) linkUser(db *gorm.DB, hash busbar.TokenHash) (busbar.User, error) {
	invalid := busbar.Errorf(busbar.CodeUnauthorized, "this link was used already, or is too old")
	var row loginLinkRow
	err := db.Where("hash = ? AND expires_at > ?", hash[:], micros(s.now())).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return busbar.User{}, invalid
	}
	if err != nil {
		return busbar.User{}, translate(fmt.Errorf("look up login link: %w", err))
	}
	user, err := takeUser(db, busbar.UserID(row.UserID))
	if err == nil && !user.Enabled() {
		return busbar.User{}, invalid
	}
	return user, err
}

// UseLoginLink signs a person in by a link and uses up every link of theirs. A password hash that is not empty becomes
// theirs. Of two uses at once, one is UNAUTHORIZED.
func (s *Store) UseLoginLink(ctx context.Context, hash busbar.TokenHash, session *busbar.Session, passwordHash string) (busbar.User, error) {
	var user busbar.User
	err := s.write(ctx, s.durable, func(db *gorm.DB) error {
		var err error
		if user, err = s.linkUser(db, hash); err != nil {
			return err
		}
		// On PostgreSQL the second of two waits here for the first, and then deletes nothing.
		used := db.Where("hash = ?", hash[:]).Delete(&loginLinkRow{})
		if used.Error != nil {
			return fmt.Errorf("use login link: %w", used.Error)
		}
		if used.RowsAffected == 0 {
			return notSignedIn()
		}
		if passwordHash != "" {
			user.PasswordHash = passwordHash
			err := db.Model(&userRow{}).Where("id = ?", string(user.ID)).Update("password_hash", passwordHash).Error
			if err != nil {
				return fmt.Errorf("set password: %w", err)
			}
			if err := endSessions(db, user.ID); err != nil {
				return err
			}
		}
		if err := db.Where("user_id = ?", string(user.ID)).Delete(&loginLinkRow{}).Error; err != nil {
			return fmt.Errorf("use login links: %w", err)
		}
		session.UserID = user.ID
		return createSession(db, session)
	})
	return user, err
}
