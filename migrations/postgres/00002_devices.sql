-- Times are microseconds since 1970-01-01 UTC; zero is "never". Durations are microseconds.
-- +goose Up

-- Kept until deleted by their owner. seq is the number of the last change of what a rule can read at the site; the row is
-- locked by every transaction that decides about one of its devices, which puts what happens there in one order.
CREATE TABLE sites (
    environment TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    timezone    TEXT   NOT NULL,
    latitude    DOUBLE PRECISION,
    longitude   DOUBLE PRECISION,
    seq         BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (environment, id)
);
CREATE INDEX sites_list ON sites (environment, created_at DESC, id DESC);

-- What its owner says of a device. Kept until deleted.
CREATE TABLE devices (
    environment      TEXT   NOT NULL,
    id               TEXT   NOT NULL,
    family           TEXT   NOT NULL,
    site_id          TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    vendor           TEXT   NOT NULL,
    model            TEXT   NOT NULL,
    user_id          TEXT   NOT NULL,
    stale_after      BIGINT NOT NULL,
    driver_kind      TEXT   NOT NULL,
    driver_url       TEXT   NOT NULL,
    driver_device_id TEXT   NOT NULL,
    -- Sealed; empty when the driver needs none.
    driver_secret    BYTEA,
    commands         TEXT   NOT NULL,
    settings         TEXT   NOT NULL,
    -- When the device is to be read next; zero for those that report by themselves.
    next_pull_at     BIGINT NOT NULL DEFAULT 0,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    PRIMARY KEY (environment, id),
    FOREIGN KEY (environment, site_id) REFERENCES sites (environment, id)
);
CREATE INDEX devices_list ON devices (environment, created_at DESC, id DESC);
CREATE INDEX devices_by_family ON devices (environment, family, created_at DESC, id DESC);
CREATE INDEX devices_by_site ON devices (environment, site_id, created_at DESC, id DESC);
CREATE INDEX devices_by_user ON devices (environment, user_id, created_at DESC, id DESC) WHERE user_id <> '';
CREATE INDEX devices_pull ON devices (next_pull_at) WHERE next_pull_at > 0;

-- What a device says: written with every reading, so apart from the rest.
CREATE TABLE device_states (
    environment   TEXT    NOT NULL,
    device_id     TEXT    NOT NULL,
    connection    TEXT    NOT NULL,
    was_connected BOOLEAN NOT NULL,
    connection_at BIGINT  NOT NULL DEFAULT 0,
    -- JSON by field: as reported, as last announced, and when observed.
    state         TEXT    NOT NULL,
    announced     TEXT    NOT NULL,
    observed_at   TEXT    NOT NULL,
    state_at      BIGINT  NOT NULL DEFAULT 0,
    reported_at   BIGINT  NOT NULL DEFAULT 0,
    -- Readings leave check_at alone, so that its index is not written with each; who looks then moves it on.
    check_at      BIGINT  NOT NULL DEFAULT 0,
    kept_at       BIGINT  NOT NULL DEFAULT 0,
    sync_lost     BOOLEAN NOT NULL,
    held_until    BIGINT  NOT NULL DEFAULT 0,
    echo          TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (environment, device_id),
    FOREIGN KEY (environment, device_id) REFERENCES devices (environment, id) ON DELETE CASCADE
);
CREATE INDEX device_states_check ON device_states (check_at) WHERE check_at > 0;

-- Readings for charts: those in which a value as reported is another than before, one a minute of the others, and late ones.
-- Purged when older than the retention, and with their device.
CREATE TABLE device_history (
    environment TEXT    NOT NULL,
    device_id   TEXT    NOT NULL,
    observed_at BIGINT  NOT NULL,
    received_at BIGINT  NOT NULL,
    late        BOOLEAN NOT NULL,
    -- JSON by field, as reported.
    state       TEXT    NOT NULL,
    PRIMARY KEY (environment, device_id, observed_at, received_at)
);
CREATE INDEX device_history_age ON device_history (received_at);

-- How a simulated device misbehaves, on request. Purged a day after they ended.
CREATE TABLE device_faults (
    environment TEXT   NOT NULL,
    device_id   TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    until       BIGINT NOT NULL,
    delay       BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (environment, device_id, kind),
    FOREIGN KEY (environment, device_id) REFERENCES devices (environment, id) ON DELETE CASCADE
);

-- Commands on their way to devices. Purged when they ended longer ago than the retention.
CREATE TABLE actions (
    id              TEXT   NOT NULL PRIMARY KEY,
    environment     TEXT   NOT NULL,
    device_id       TEXT   NOT NULL,
    family          TEXT   NOT NULL,
    site_id         TEXT   NOT NULL,
    command         TEXT   NOT NULL,
    parameters      TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    slot            TEXT   NOT NULL,
    start_at        BIGINT NOT NULL DEFAULT 0,
    end_at          BIGINT NOT NULL DEFAULT 0,
    expires_in      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL DEFAULT 0,
    hold_for        BIGINT NOT NULL DEFAULT 0,
    phase           TEXT   NOT NULL,
    instruction_before TEXT NOT NULL DEFAULT '',
    tries           BIGINT NOT NULL DEFAULT 0,
    remote          TEXT   NOT NULL DEFAULT '',
    result          TEXT   NOT NULL DEFAULT '',
    error_code      TEXT   NOT NULL DEFAULT '',
    error_message   TEXT   NOT NULL DEFAULT '',
    cancel_reason   TEXT   NOT NULL DEFAULT '',
    replaces        TEXT   NOT NULL DEFAULT '',
    replaced_by     TEXT   NOT NULL DEFAULT '',
    rule_id         TEXT   NOT NULL DEFAULT '',
    run_id          TEXT   NOT NULL DEFAULT '',
    causation       TEXT   NOT NULL DEFAULT '',
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    acknowledged_at BIGINT NOT NULL DEFAULT 0,
    accepted_at     BIGINT NOT NULL DEFAULT 0,
    completed_at    BIGINT NOT NULL DEFAULT 0
);
-- At most one current and one queued action a device, whoever writes.
CREATE UNIQUE INDEX actions_slot ON actions (environment, device_id, slot) WHERE slot <> '';
CREATE INDEX actions_list ON actions (environment, created_at DESC, id DESC);
CREATE INDEX actions_by_device ON actions (environment, device_id, created_at DESC, id DESC);
CREATE INDEX actions_by_rule ON actions (environment, rule_id, created_at DESC, id DESC) WHERE rule_id <> '';
CREATE INDEX actions_by_state ON actions (environment, state, created_at DESC, id DESC) WHERE slot <> '';
CREATE INDEX actions_ended ON actions (completed_at) WHERE completed_at > 0;

-- Purged with their action.
CREATE TABLE action_tries (
    action_id   TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    phase       TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    duration    BIGINT NOT NULL DEFAULT 0,
    outcome     TEXT   NOT NULL,
    error_code  TEXT   NOT NULL DEFAULT '',
    message     TEXT   NOT NULL DEFAULT '',
    next_try_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (action_id, number)
);

-- Actions whose workflow was not seen to start.
CREATE TABLE action_starts (
    action_id   TEXT   NOT NULL PRIMARY KEY,
    created_at  BIGINT NOT NULL,
    -- Nobody else tries to start it before this.
    claim_until BIGINT NOT NULL
);
CREATE INDEX action_starts_due ON action_starts (claim_until, created_at);

-- The place of an event in the history of its site; zero when it has none.
ALTER TABLE events ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX events_by_seq ON events (environment, site_id, seq) WHERE seq > 0;
CREATE INDEX events_by_site ON events (environment, site_id, received_at DESC, id DESC) WHERE site_id <> '';

-- +goose Down
DROP INDEX events_by_site;
DROP INDEX events_by_seq;
ALTER TABLE events DROP COLUMN seq;
DROP TABLE action_starts;
DROP TABLE action_tries;
DROP TABLE actions;
DROP TABLE device_faults;
DROP TABLE device_history;
DROP TABLE device_states;
DROP TABLE devices;
DROP TABLE sites;
