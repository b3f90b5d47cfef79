-- The people who use the dashboard, and what they did.
-- +goose Up

CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL UNIQUE,
    role          TEXT   NOT NULL,
    -- argon2id with its parameters; empty until a password was chosen.
    password_hash TEXT   NOT NULL DEFAULT '',
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL DEFAULT 0,
    disabled_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX users_list ON users (created_at DESC, id DESC);

-- Purged when they have expired. The hash is that of the token in the cookie.
CREATE TABLE sessions (
    id           TEXT   NOT NULL PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash         BLOB NOT NULL UNIQUE,
    address      TEXT   NOT NULL,
    user_agent   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at DESC);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Links that let a person in once; deleted by their use, and purged when they have expired.
CREATE TABLE login_links (
    hash       BLOB NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_links_by_user ON login_links (user_id);

-- Purged after a year.
CREATE TABLE audit_log (
    id          TEXT   NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    user_id     TEXT   NOT NULL,
    user_name   TEXT   NOT NULL,
    address     TEXT   NOT NULL,
    environment TEXT   NOT NULL DEFAULT '',
    action      TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    before      TEXT   NOT NULL DEFAULT '',
    after       TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX audit_log_list ON audit_log (at DESC, id DESC);

-- +goose Down
DROP TABLE audit_log;
DROP TABLE login_links;
DROP TABLE sessions;
DROP TABLE users;
