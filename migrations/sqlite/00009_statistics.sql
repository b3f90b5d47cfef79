-- What SQLite would know of these tables if it had looked at them when they are large. Without it, it takes a partial index on
-- two columns to be no better than the first column of the primary key, which is the environment, and reads every run.
-- +goose Up
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1 WHERE tbl IN ('runs', 'rule_keys');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('runs', 'runs', '1000000 500000 1'),
    ('runs', 'runs_by_rule', '1000000 500000 2000 2 1'),
    ('runs', 'runs_by_event', '1000000 500000 10'),
    ('runs', 'runs_by_root', '1000000 500000 20'),
    ('runs', 'runs_by_hold', '100000 50000 10'),
    ('runs', 'runs_fired', '100000 50000 2 1'),
    ('runs', 'runs_open', '100 2'),
    ('runs', 'runs_idle', '1000000 500000 1000 2'),
    ('runs', 'runs_age', '1000000 10'),
    ('rule_keys', 'rule_keys', '100000 50000 100 2 1'),
    ('rule_keys', 'rule_keys_by_rule', '100000 50000 100'),
    ('rule_keys', 'rule_keys_due', '1000 2');
ANALYZE sqlite_schema;

-- +goose Down
DELETE FROM sqlite_stat1 WHERE tbl IN ('runs', 'rule_keys');
ANALYZE sqlite_schema;
