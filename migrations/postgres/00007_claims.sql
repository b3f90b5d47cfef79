-- +goose Up

-- The deliveries under way, by endpoint: they are counted whenever one more is to be sent. Most rows are in it for milliseconds.
CREATE INDEX deliveries_claimed ON deliveries (endpoint_id, claim_until) WHERE claim_until > 0;

-- +goose Down
DROP INDEX deliveries_claimed;
