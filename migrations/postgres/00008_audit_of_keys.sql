-- API keys are in the audit log, too.
-- +goose Up
ALTER TABLE audit_log RENAME COLUMN user_id TO actor_id;
ALTER TABLE audit_log RENAME COLUMN user_name TO actor_name;

-- +goose Down
ALTER TABLE audit_log RENAME COLUMN actor_name TO user_name;
ALTER TABLE audit_log RENAME COLUMN actor_id TO user_id;
