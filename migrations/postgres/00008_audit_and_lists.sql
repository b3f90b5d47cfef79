-- API keys are in the audit log, too; lists of deliveries are read in the order of an index.
-- +goose Up
ALTER TABLE audit_log RENAME COLUMN user_id TO actor_id;
ALTER TABLE audit_log RENAME COLUMN user_name TO actor_name;

-- With the order of an event's deliveries in it: otherwise they are looked for along all deliveries, which are in order.
DROP INDEX deliveries_by_event;
CREATE INDEX deliveries_by_event ON deliveries (environment, event_id, created_at, id);
-- With the endpoint, so that counting by endpoint and hour reads the index alone.
DROP INDEX deliveries_by_status;
CREATE INDEX deliveries_by_status ON deliveries (environment, status, created_at DESC, id DESC, endpoint_id) WHERE status <> 'delivered';

-- +goose Down
DROP INDEX deliveries_by_status;
CREATE INDEX deliveries_by_status ON deliveries (environment, status, created_at DESC, id DESC) WHERE status <> 'delivered';
DROP INDEX deliveries_by_event;
CREATE INDEX deliveries_by_event ON deliveries (environment, event_id);
ALTER TABLE audit_log RENAME COLUMN actor_name TO user_name;
ALTER TABLE audit_log RENAME COLUMN actor_id TO user_id;
