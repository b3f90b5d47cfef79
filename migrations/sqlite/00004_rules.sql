-- +goose Up

-- A rule as it now stands. Kept until deleted. Saves raise the environment's generation.
CREATE TABLE rules (
    environment  TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    mode         TEXT    NOT NULL,
    -- The newest of its versions, which is the one that decides.
    version      BIGINT  NOT NULL,
    -- Whether it has a window, and so a workflow that sleeps to its openings.
    windowed     BOOLEAN NOT NULL,
    -- Set when it was stopped because it kept triggering itself, or kept running into a limit; zero is not.
    paused_at    BIGINT  NOT NULL DEFAULT 0,
    pause_reason TEXT    NOT NULL DEFAULT '',
    -- JSON: the times of the last cuts and the last limits; enough of them soon after each other pause the rule.
    strikes      TEXT    NOT NULL DEFAULT '',
    fired_at     BIGINT  NOT NULL DEFAULT 0,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    PRIMARY KEY (environment, id)
) WITHOUT ROWID;
CREATE INDEX rules_list ON rules (environment, created_at DESC, id DESC);
CREATE INDEX rules_windowed ON rules (environment, id) WHERE windowed AND mode <> 'disabled';

-- Every save. Deleted with its rule.
CREATE TABLE rule_versions (
    environment TEXT   NOT NULL,
    rule_id     TEXT   NOT NULL,
    number      BIGINT NOT NULL,
    -- The rule in its canonical form, JSON.
    text        TEXT   NOT NULL,
    -- What was applied, to be given back unchanged; empty when it was made of JSON.
    source      TEXT   NOT NULL DEFAULT '',
    -- The version that this one restored; zero when none.
    restored    BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (environment, rule_id, number),
    FOREIGN KEY (environment, rule_id) REFERENCES rules (environment, id) ON DELETE CASCADE
) WITHOUT ROWID;

-- Where a rule stands with a scope key: edge, cooldown, hold. Active and shadow stand apart. Deleted with the rule, and with
-- the device or site that the key is about.
CREATE TABLE rule_keys (
    environment        TEXT    NOT NULL,
    key                TEXT    NOT NULL,
    rule_id            TEXT    NOT NULL,
    shadow             BOOLEAN NOT NULL,
    version            BIGINT  NOT NULL,
    spent              BOOLEAN NOT NULL,
    number             BIGINT  NOT NULL,
    fired_at           BIGINT  NOT NULL DEFAULT 0,
    hold_id            TEXT    NOT NULL DEFAULT '',
    hold_version       BIGINT  NOT NULL DEFAULT 0,
    hold_event_id      TEXT    NOT NULL DEFAULT '',
    hold_since         BIGINT  NOT NULL DEFAULT 0,
    hold_due           BIGINT  NOT NULL DEFAULT 0,
    hold_unknown_since BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (environment, key, rule_id, shadow),
    FOREIGN KEY (environment, rule_id) REFERENCES rules (environment, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX rule_keys_by_rule ON rule_keys (environment, rule_id);
CREATE INDEX rule_keys_due ON rule_keys (hold_due) WHERE hold_due > 0;

-- What rules decided. Those that moved something are written as they are decided, the others from run_packs a moment later.
-- Purged when older than the retention; of those that were false or already true only the newest 1,000 of a rule stay.
CREATE TABLE runs (
    environment TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    rule_id     TEXT    NOT NULL,
    version     BIGINT  NOT NULL,
    shadow      BOOLEAN NOT NULL,
    key         TEXT    NOT NULL,
    trigger_by  TEXT    NOT NULL,
    event_id    TEXT    NOT NULL DEFAULT '',
    root_id     TEXT    NOT NULL DEFAULT '',
    site_id     TEXT    NOT NULL DEFAULT '',
    decision    TEXT    NOT NULL,
    decided_at  BIGINT  NOT NULL,
    lateness    BIGINT  NOT NULL DEFAULT 0,
    hold_id     TEXT    NOT NULL DEFAULT '',
    -- Of the firing: its number among those of its key, and its place in the history of its site.
    number      BIGINT  NOT NULL DEFAULT 0,
    seq         BIGINT  NOT NULL DEFAULT 0,
    -- How its steps stand: open, done, failed; empty when there are none to take.
    status      TEXT    NOT NULL DEFAULT '',
    -- JSON: clauses, what was not known, targets, the firing; empty when it stands in the pack of its event.
    detail      TEXT    NOT NULL DEFAULT '',
    -- JSON: the steps that were begun, with how they ended.
    steps       TEXT    NOT NULL DEFAULT '',
    ended_at    BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (environment, id)
) WITHOUT ROWID;
CREATE INDEX runs_by_rule ON runs (environment, rule_id, decided_at DESC, id DESC);
CREATE INDEX runs_by_event ON runs (environment, event_id) WHERE event_id <> '';
CREATE INDEX runs_by_root ON runs (environment, root_id) WHERE root_id <> '';
CREATE INDEX runs_by_hold ON runs (environment, hold_id) WHERE hold_id <> '';
CREATE INDEX runs_fired ON runs (environment, decided_at DESC, id DESC) WHERE number > 0;
CREATE INDEX runs_open ON runs (decided_at) WHERE status = 'open';
CREATE INDEX runs_idle ON runs (environment, rule_id, decided_at DESC) WHERE decision IN ('false', 'already_true');
CREATE INDEX runs_age ON runs (decided_at);

-- Workflows of rules that have yet to be started: of runs that fired, of holds that began. A row lives for milliseconds when
-- all is well.
CREATE TABLE rule_starts (
    environment TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    rule_id     TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    shadow      BOOLEAN NOT NULL,
    due         BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    -- Nobody else tries to start it before this.
    claim_until BIGINT NOT NULL,
    PRIMARY KEY (environment, kind, id)
) WITHOUT ROWID;
CREATE INDEX rule_starts_due ON rule_starts (claim_until, created_at);

-- The runs of an event that moved nothing, in one row. Purged with the event.
CREATE TABLE run_packs (
    environment TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    decided_at  BIGINT  NOT NULL,
    -- They have yet to be listed among the runs of their rules.
    unlisted    BOOLEAN NOT NULL,
    -- Deflated JSON.
    body        BLOB   NOT NULL,
    PRIMARY KEY (environment, event_id)
) WITHOUT ROWID;
CREATE INDEX run_packs_unlisted ON run_packs (decided_at) WHERE unlisted;

-- Where automation is stopped: a site, or, without one, the environment. Deleted when it is on again.
CREATE TABLE automation_stops (
    environment TEXT   NOT NULL,
    site_id     TEXT   NOT NULL,
    by_whom     TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (environment, site_id)
) WITHOUT ROWID;

-- The first event of the chain that an event is part of; empty for that event itself.
ALTER TABLE events ADD COLUMN root_id TEXT NOT NULL DEFAULT '';
CREATE INDEX events_by_root ON events (environment, root_id) WHERE root_id <> '';

-- Of a rule's action: how it weighs against others, the step and the try of its run, and the place of the firing in the history of
-- the site.
ALTER TABLE actions ADD COLUMN priority BIGINT NOT NULL DEFAULT 100;
ALTER TABLE actions ADD COLUMN run_step TEXT NOT NULL DEFAULT '';
ALTER TABLE actions ADD COLUMN firing_seq BIGINT NOT NULL DEFAULT 0;
CREATE INDEX actions_by_run ON actions (environment, run_id) WHERE run_id <> '';
CREATE INDEX actions_by_firing ON actions (environment, device_id, firing_seq) WHERE firing_seq > 0;

-- +goose Down
DROP INDEX actions_by_firing;
DROP INDEX actions_by_run;
ALTER TABLE actions DROP COLUMN firing_seq;
ALTER TABLE actions DROP COLUMN run_step;
ALTER TABLE actions DROP COLUMN priority;
DROP INDEX events_by_root;
ALTER TABLE events DROP COLUMN root_id;
DROP TABLE automation_stops;
DROP TABLE run_packs;
DROP TABLE rule_starts;
DROP TABLE runs;
DROP TABLE rule_keys;
DROP TABLE rule_versions;
DROP TABLE rules;
