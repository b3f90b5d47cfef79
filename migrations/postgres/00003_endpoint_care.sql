-- +goose Up

-- A condition over the type and data of events; empty wants all.
ALTER TABLE endpoints ADD COLUMN filter TEXT NOT NULL DEFAULT '';
-- Why that condition could not judge the event, which is sent then.
ALTER TABLE deliveries ADD COLUMN filter_error TEXT NOT NULL DEFAULT '';
-- Deliveries a second; zero is no limit.
ALTER TABLE endpoints ADD COLUMN rate_limit DOUBLE PRECISION NOT NULL DEFAULT 0;

-- When the event happened: what is parked goes out in this order.
ALTER TABLE deliveries ADD COLUMN event_at BIGINT NOT NULL DEFAULT 0;
-- The place in the line of a rate-limited endpoint that a delivery has taken; zero is none.
ALTER TABLE deliveries ADD COLUMN rate_slot BIGINT NOT NULL DEFAULT 0;
-- The job that sent it last, so that a job sends nothing twice.
ALTER TABLE deliveries ADD COLUMN resent_by TEXT NOT NULL DEFAULT '';
-- The job that will send it: a parked delivery that draining leaves alone.
ALTER TABLE deliveries ADD COLUMN kept_for TEXT NOT NULL DEFAULT '';
UPDATE deliveries SET event_at = COALESCE((SELECT e.timestamp FROM events e
    WHERE e.environment = deliveries.environment AND e.id = deliveries.event_id), created_at);

CREATE INDEX deliveries_parked ON deliveries (endpoint_id, event_at, id) WHERE status = 'parked';
CREATE INDEX deliveries_failed ON deliveries (endpoint_id, event_at, id) WHERE status = 'failed';

-- How it stands with an endpoint. One that never failed has no row. The circuit is read with the endpoint, so its changes
-- raise the environment's generation; the rest changes with the attempts.
CREATE TABLE endpoint_health (
    endpoint_id   TEXT   NOT NULL PRIMARY KEY,
    environment   TEXT   NOT NULL,
    circuit       TEXT   NOT NULL DEFAULT 'closed',
    circuit_since BIGINT NOT NULL DEFAULT 0,
    probe_at      BIGINT NOT NULL DEFAULT 0,
    probe_wait    BIGINT NOT NULL DEFAULT 0,
    -- The last attempts, oldest first: + for a success, - and the end of the delivery's id for a failure. Empty when none of
    -- them failed.
    recent        TEXT   NOT NULL DEFAULT '',
    failing_since BIGINT NOT NULL DEFAULT 0,
    failures      BIGINT NOT NULL DEFAULT 0,
    last_error    TEXT   NOT NULL DEFAULT '',
    -- When people were told that the endpoint fails, by an event; zero when there is nothing to take back.
    told_at       BIGINT NOT NULL DEFAULT 0
);

-- The line of a rate-limited endpoint.
CREATE TABLE endpoint_rates (
    endpoint_id TEXT   NOT NULL PRIMARY KEY,
    -- The first place that is free.
    next_at     BIGINT NOT NULL DEFAULT 0,
    -- When the last delivery went out: those that come late to their places keep apart, too.
    sent_at     BIGINT NOT NULL DEFAULT 0
);

-- What the attempts of an hour came to. Purged when older than the retention.
CREATE TABLE endpoint_hours (
    endpoint_id TEXT   NOT NULL,
    hour        BIGINT NOT NULL,
    status_2xx  BIGINT NOT NULL DEFAULT 0,
    status_3xx  BIGINT NOT NULL DEFAULT 0,
    status_4xx  BIGINT NOT NULL DEFAULT 0,
    status_5xx  BIGINT NOT NULL DEFAULT 0,
    no_response BIGINT NOT NULL DEFAULT 0,
    succeeded   BIGINT NOT NULL DEFAULT 0,
    -- How many attempts took up to so many milliseconds, and longer than the column before says.
    ms_1          BIGINT NOT NULL DEFAULT 0,
    ms_2          BIGINT NOT NULL DEFAULT 0,
    ms_3          BIGINT NOT NULL DEFAULT 0,
    ms_5          BIGINT NOT NULL DEFAULT 0,
    ms_8          BIGINT NOT NULL DEFAULT 0,
    ms_13         BIGINT NOT NULL DEFAULT 0,
    ms_20         BIGINT NOT NULL DEFAULT 0,
    ms_30         BIGINT NOT NULL DEFAULT 0,
    ms_50         BIGINT NOT NULL DEFAULT 0,
    ms_80         BIGINT NOT NULL DEFAULT 0,
    ms_130        BIGINT NOT NULL DEFAULT 0,
    ms_200        BIGINT NOT NULL DEFAULT 0,
    ms_300        BIGINT NOT NULL DEFAULT 0,
    ms_500        BIGINT NOT NULL DEFAULT 0,
    ms_800        BIGINT NOT NULL DEFAULT 0,
    ms_1300       BIGINT NOT NULL DEFAULT 0,
    ms_2000       BIGINT NOT NULL DEFAULT 0,
    ms_3000       BIGINT NOT NULL DEFAULT 0,
    ms_5000       BIGINT NOT NULL DEFAULT 0,
    ms_8000       BIGINT NOT NULL DEFAULT 0,
    ms_13000      BIGINT NOT NULL DEFAULT 0,
    ms_20000      BIGINT NOT NULL DEFAULT 0,
    ms_30000      BIGINT NOT NULL DEFAULT 0,
    ms_60000      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (endpoint_id, hour)
);
CREATE INDEX endpoint_hours_age ON endpoint_hours (hour);

-- Events about endpoints and deliveries that have happened and are not accepted yet. A row lives for a second when all is
-- well. The id is that of the event, so that saying it twice says it once.
CREATE TABLE notices (
    id          TEXT   NOT NULL PRIMARY KEY,
    environment TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    -- The endpoint that it is about, which is not told.
    endpoint_id TEXT   NOT NULL,
    parent_id   TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    data        TEXT   NOT NULL
);

-- Recovering and replaying. Purged when they have ended before the retention.
CREATE TABLE jobs (
    id           TEXT    NOT NULL PRIMARY KEY,
    environment  TEXT    NOT NULL,
    endpoint_id  TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    since        BIGINT  NOT NULL,
    until        BIGINT  NOT NULL,
    -- Separated by commas.
    statuses     TEXT    NOT NULL,
    counted      BOOLEAN NOT NULL DEFAULT FALSE,
    total        BIGINT  NOT NULL DEFAULT 0,
    done         BIGINT  NOT NULL DEFAULT 0,
    failed       BIGINT  NOT NULL DEFAULT 0,
    -- Where the next page begins.
    cursor_at    BIGINT  NOT NULL DEFAULT 0,
    cursor_id    TEXT    NOT NULL DEFAULT '',
    reason       TEXT    NOT NULL DEFAULT '',
    created_at   BIGINT  NOT NULL,
    completed_at BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX jobs_list ON jobs (environment, created_at DESC, id DESC);
CREATE INDEX jobs_open ON jobs (endpoint_id) WHERE status IN ('running', 'paused');

-- +goose Down
DROP TABLE jobs;
DROP TABLE notices;
DROP TABLE endpoint_hours;
DROP TABLE endpoint_rates;
DROP TABLE endpoint_health;
DROP INDEX deliveries_failed;
DROP INDEX deliveries_parked;
ALTER TABLE deliveries DROP COLUMN kept_for;
ALTER TABLE deliveries DROP COLUMN resent_by;
ALTER TABLE deliveries DROP COLUMN rate_slot;
ALTER TABLE deliveries DROP COLUMN event_at;
ALTER TABLE endpoints DROP COLUMN rate_limit;
ALTER TABLE deliveries DROP COLUMN filter_error;
ALTER TABLE endpoints DROP COLUMN filter;
