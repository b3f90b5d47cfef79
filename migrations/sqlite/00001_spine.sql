-- Times are microseconds since 1970-01-01 UTC; zero is "never".
-- +goose Up

-- One row an environment. The generation grows with every save that decisions depend on (endpoints, event types), so
-- that a process can tell that what it has cached is old.
CREATE TABLE environments (
    environment TEXT   NOT NULL PRIMARY KEY,
    generation  BIGINT NOT NULL DEFAULT 1
);
INSERT INTO environments (environment) VALUES ('sandbox'), ('live');

-- Kept until deleted by their owner; a revoked key stays so that its name can be read.
CREATE TABLE api_keys (
    id           TEXT   NOT NULL PRIMARY KEY,
    environment  TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    hint         TEXT   NOT NULL,
    hash         BLOB NOT NULL UNIQUE,
    scopes       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL DEFAULT 0,
    last_used_at BIGINT NOT NULL DEFAULT 0,
    revoked_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX api_keys_list ON api_keys (environment, created_at DESC, id DESC);

-- Answers of POSTs that carried an Idempotency-Key. Purged 24 h after they were made.
CREATE TABLE idempotency_keys (
    api_key_id TEXT   NOT NULL,
    route      TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    body_hash  BLOB NOT NULL,
    status     BIGINT NOT NULL,
    answer     BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (api_key_id, route, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Custom event types; the built-in ones are code. At most 500 an environment; a type never changes.
CREATE TABLE event_types (
    environment TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    description TEXT   NOT NULL,
    schema      TEXT   NOT NULL,
    example     TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (environment, name)
) WITHOUT ROWID;

-- Which event ids were used, with the hash of what was said: the guard that makes accepting exactly once. Purged with
-- the events.
CREATE TABLE event_ids (
    environment TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    hash        BLOB NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (environment, id)
) WITHOUT ROWID;

-- Purged when older than the retention.
CREATE TABLE events (
    environment TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    device_id   TEXT   NOT NULL DEFAULT '',
    site_id     TEXT   NOT NULL DEFAULT '',
    timestamp   BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    data        TEXT   NOT NULL,
    flags       TEXT   NOT NULL DEFAULT '',
    causation   TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (environment, id)
);
CREATE INDEX events_list ON events (environment, received_at DESC, id DESC);
CREATE INDEX events_by_type ON events (environment, type, received_at DESC, id DESC);
CREATE INDEX events_by_device ON events (environment, device_id, received_at DESC, id DESC) WHERE device_id <> '';

-- Events whose workflow was not seen to start. A row lives for milliseconds when all is well.
CREATE TABLE event_starts (
    environment TEXT   NOT NULL,
    event_id    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    -- Nobody else tries to start it before this.
    claim_until BIGINT NOT NULL,
    PRIMARY KEY (environment, event_id)
) WITHOUT ROWID;
CREATE INDEX event_starts_due ON event_starts (claim_until, created_at);
CREATE INDEX event_starts_age ON event_starts (created_at);

CREATE TABLE endpoints (
    id              TEXT    NOT NULL PRIMARY KEY,
    environment     TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    event_types     TEXT    NOT NULL,
    -- A sealed JSON object: the values are secret.
    headers         BLOB,
    payload_format  TEXT    NOT NULL,
    max_in_flight   BIGINT  NOT NULL,
    timeout         BIGINT  NOT NULL,
    signing         TEXT    NOT NULL,
    enabled         BOOLEAN NOT NULL,
    disabled_reason TEXT    NOT NULL DEFAULT '',
    disabled_at     BIGINT  NOT NULL DEFAULT 0,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL
);
CREATE INDEX endpoints_list ON endpoints (environment, created_at DESC, id DESC);

-- Deleted with their endpoint, and 24 h after they expired.
CREATE TABLE signing_keys (
    id          TEXT   NOT NULL PRIMARY KEY,
    endpoint_id TEXT   NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    kind        TEXT   NOT NULL,
    secret      BLOB NOT NULL,
    public_key  TEXT   NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX signing_keys_by_endpoint ON signing_keys (endpoint_id, created_at);

-- Purged with their event, once they are not open any more.
CREATE TABLE deliveries (
    id               TEXT    NOT NULL PRIMARY KEY,
    environment      TEXT    NOT NULL,
    event_id         TEXT    NOT NULL,
    event_type       TEXT    NOT NULL,
    endpoint_id      TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    attempts         BIGINT  NOT NULL DEFAULT 0,
    step             BIGINT  NOT NULL DEFAULT 0,
    next_attempt_at  BIGINT  NOT NULL DEFAULT 0,
    retry_now        BOOLEAN NOT NULL DEFAULT FALSE,
    single           BOOLEAN NOT NULL DEFAULT FALSE,
    last_status_code BIGINT  NOT NULL DEFAULT 0,
    last_error       TEXT    NOT NULL DEFAULT '',
    workflow_id      TEXT    NOT NULL,
    -- Who may send now, until when, and as which attempt.
    claim_owner      TEXT    NOT NULL DEFAULT '',
    claim_until      BIGINT  NOT NULL DEFAULT 0,
    claim_attempt    BIGINT  NOT NULL DEFAULT 0,
    created_at       BIGINT  NOT NULL,
    completed_at     BIGINT  NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX deliveries_list ON deliveries (environment, created_at DESC, id DESC);
CREATE INDEX deliveries_by_endpoint ON deliveries (environment, endpoint_id, created_at DESC, id DESC);
CREATE INDEX deliveries_by_event ON deliveries (environment, event_id);
-- The open and the failed ones are few beside the delivered.
CREATE INDEX deliveries_by_status ON deliveries (environment, status, created_at DESC, id DESC) WHERE status <> 'delivered';
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_open_by_endpoint ON deliveries (endpoint_id, id) WHERE status IN ('pending', 'parked');

-- Purged with their delivery.
CREATE TABLE attempts (
    delivery_id      TEXT    NOT NULL,
    number           BIGINT  NOT NULL,
    at               BIGINT  NOT NULL,
    duration         BIGINT  NOT NULL,
    timing           TEXT    NOT NULL,
    status_code      BIGINT  NOT NULL,
    error_class      TEXT    NOT NULL,
    error            TEXT    NOT NULL,
    request_headers  TEXT    NOT NULL,
    response_headers TEXT    NOT NULL,
    response_body    TEXT    NOT NULL,
    truncated        BOOLEAN NOT NULL,
    next_attempt_at  BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (delivery_id, number)
);

-- +goose Down
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE signing_keys;
DROP TABLE endpoints;
DROP TABLE event_starts;
DROP TABLE events;
DROP TABLE event_ids;
DROP TABLE event_types;
DROP TABLE idempotency_keys;
DROP TABLE api_keys;
DROP TABLE environments;
