-- An event is found by when it was received, which event_ids tells.
-- +goose Up
UPDATE event_ids SET received_at = COALESCE((SELECT e.received_at FROM events e
    WHERE e.environment = event_ids.environment AND e.id = event_ids.id), received_at);

-- +goose Down
SELECT 1;
