-- Events and attempts are kept in a table a day, so that a day that is over is dropped and gives its room back. An event is
-- found by when it was received, which event_ids tells; that an id is taken once is event_ids' to see to. An attempt is found by
-- its delivery's id, which begins with the time at which the delivery was made.
-- +goose Up
ALTER TABLE events RENAME TO all_events;
ALTER TABLE attempts RENAME TO all_attempts;
ALTER TABLE all_events RENAME CONSTRAINT events_pkey TO all_events_pkey;
ALTER TABLE all_attempts RENAME CONSTRAINT attempts_pkey TO all_attempts_pkey;
DROP INDEX events_list, events_by_type, events_by_device, events_by_seq, events_by_site, events_by_root;

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
    -- The place of an event in the history of its site; zero when it has none.
    seq         BIGINT NOT NULL DEFAULT 0,
    -- The first event of the chain that an event is part of; empty for that event itself.
    root_id     TEXT   NOT NULL DEFAULT '',
    -- It serves lists, too.
    CONSTRAINT events_list PRIMARY KEY (environment, received_at, id)
) PARTITION BY RANGE (received_at);
CREATE INDEX events_by_type ON events (environment, type, received_at DESC, id DESC);
CREATE INDEX events_by_device ON events (environment, device_id, received_at DESC, id DESC) WHERE device_id <> '';
CREATE INDEX events_by_site ON events (environment, site_id, received_at DESC, id DESC) WHERE site_id <> '';
-- The site's row, locked, keeps numbers apart.
CREATE INDEX events_by_seq ON events (environment, site_id, seq) WHERE seq > 0;
CREATE INDEX events_by_root ON events (environment, root_id) WHERE root_id <> '';

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
) PARTITION BY RANGE (delivery_id);

-- first_delivery is the lowest id that a delivery of a day has: the prefix, and milliseconds in 12 hexadecimal digits.
CREATE FUNCTION first_delivery(day BIGINT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS
$$ SELECT 'dlv_' || lpad(to_hex(day * 86400000), 12, '0') $$;

-- make_day makes the tables of a day of UTC, counted from 1970-01-01, if they are missing.
-- +goose StatementBegin
CREATE FUNCTION make_day(day BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    name TEXT := to_char(DATE '1970-01-01' + day::INTEGER, 'YYYYMMDD');
BEGIN
    -- Whoever comes second finds them made.
    PERFORM pg_advisory_xact_lock(hashtext('make_day'));
    -- Made first and attached then: a table that is made as a part locks the whole against everybody.
    IF to_regclass('events_' || name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS)', 'events_' || name);
        EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            'events_' || name, day * 86400000000, (day + 1) * 86400000000);
    END IF;
    IF to_regclass('attempts_' || name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE attempts INCLUDING DEFAULTS)', 'attempts_' || name);
        EXECUTE format('ALTER TABLE attempts ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            'attempts_' || name, first_delivery(day), first_delivery(day + 1));
    END IF;
END $$;
-- +goose StatementEnd

SELECT make_day(day) FROM (
    SELECT received_at / 86400000000 AS day FROM all_events
    UNION SELECT ('x' || substr(delivery_id, 5, 12))::BIT(48)::BIGINT / 86400000 FROM all_attempts) AS days;
INSERT INTO events (environment, id, type, device_id, site_id, timestamp, received_at, data, flags, causation, seq, root_id)
    SELECT environment, id, type, device_id, site_id, timestamp, received_at, data, flags, causation, seq, root_id FROM all_events;
INSERT INTO attempts (delivery_id, number, at, duration, timing, status_code, error_class, error,
        request_headers, response_headers, response_body, truncated, next_attempt_at)
    SELECT delivery_id, number, at, duration, timing, status_code, error_class, error,
        request_headers, response_headers, response_body, truncated, next_attempt_at FROM all_attempts;
UPDATE event_ids i SET received_at = e.received_at FROM all_events e
    WHERE e.environment = i.environment AND e.id = i.id AND e.received_at <> i.received_at;
DROP TABLE all_events;
DROP TABLE all_attempts;

-- +goose Down
CREATE TABLE all_events (LIKE events INCLUDING DEFAULTS);
INSERT INTO all_events SELECT * FROM events;
CREATE TABLE all_attempts (LIKE attempts INCLUDING DEFAULTS);
INSERT INTO all_attempts SELECT * FROM attempts;
DROP TABLE events;
DROP TABLE attempts;
DROP FUNCTION make_day(BIGINT);
DROP FUNCTION first_delivery(BIGINT);
ALTER TABLE all_events RENAME TO events;
ALTER TABLE all_attempts RENAME TO attempts;
ALTER TABLE events ADD PRIMARY KEY (environment, id);
ALTER TABLE attempts ADD PRIMARY KEY (delivery_id, number);
CREATE INDEX events_list ON events (environment, received_at DESC, id DESC);
CREATE INDEX events_by_type ON events (environment, type, received_at DESC, id DESC);
CREATE INDEX events_by_device ON events (environment, device_id, received_at DESC, id DESC) WHERE device_id <> '';
CREATE INDEX events_by_site ON events (environment, site_id, received_at DESC, id DESC) WHERE site_id <> '';
CREATE UNIQUE INDEX events_by_seq ON events (environment, site_id, seq) WHERE seq > 0;
CREATE INDEX events_by_root ON events (environment, root_id) WHERE root_id <> '';
