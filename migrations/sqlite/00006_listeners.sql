-- Times are microseconds since 1970-01-01 UTC; zero is "never".
-- +goose Up

-- Endpoints whose deliveries are fetched by a program, and not dialled. Deleted with their endpoint, which is deleted
-- when the program was not seen for some minutes.
CREATE TABLE listeners (
    endpoint_id TEXT   NOT NULL PRIMARY KEY REFERENCES endpoints (id) ON DELETE CASCADE,
    environment TEXT   NOT NULL,
    api_key_id  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX listeners_seen ON listeners (seen_at);

-- Attempts that wait for the program's answer. Deleted when the attempt ends.
CREATE TABLE listener_requests (
    id          TEXT    NOT NULL PRIMARY KEY,
    endpoint_id TEXT    NOT NULL REFERENCES listeners (endpoint_id) ON DELETE CASCADE,
    delivery_id TEXT    NOT NULL,
    -- Sealed: it may hold headers whose values are secret.
    content     BLOB    NOT NULL,
    answered    BOOLEAN NOT NULL DEFAULT FALSE,
    answer      BLOB    NOT NULL,
    created_at  BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL
) WITHOUT ROWID;
CREATE INDEX listener_requests_open ON listener_requests (endpoint_id, created_at, id);

-- +goose Down
DROP TABLE listener_requests;
DROP TABLE listeners;
