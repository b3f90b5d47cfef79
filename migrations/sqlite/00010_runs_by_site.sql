-- The runs of one site are a list of their own: along all runs of an account it takes seconds to find those of a small home.
-- +goose Up
CREATE INDEX runs_by_site ON runs (environment, site_id, decided_at DESC, id DESC) WHERE site_id <> '';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('runs', 'runs_by_site', '1000000 500000 5000 2 1');
ANALYZE sqlite_schema;

-- +goose Down
DELETE FROM sqlite_stat1 WHERE tbl = 'runs' AND idx = 'runs_by_site';
DROP INDEX runs_by_site;
ANALYZE sqlite_schema;
