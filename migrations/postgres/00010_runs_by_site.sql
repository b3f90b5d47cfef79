-- The runs of one site are a list of their own: along all runs of an account it takes seconds to find those of a small home.
-- +goose Up
CREATE INDEX runs_by_site ON runs (environment, site_id, decided_at DESC, id DESC) WHERE site_id <> '';

-- +goose Down
DROP INDEX runs_by_site;
