-- Deliveries are counted by endpoint and hour in the order in which they were made, without reading a row.
-- +goose Up
DROP INDEX deliveries_list;
CREATE INDEX deliveries_list ON deliveries (environment, created_at DESC, id DESC, endpoint_id);

-- +goose Down
DROP INDEX deliveries_list;
CREATE INDEX deliveries_list ON deliveries (environment, created_at DESC, id DESC);
