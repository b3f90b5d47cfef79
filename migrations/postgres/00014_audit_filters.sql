-- The audit log is asked who, what, to what thing and where: each by an index in the order of the list.
-- +goose Up
CREATE INDEX audit_log_by_actor ON audit_log (actor_id, at DESC, id DESC);
CREATE INDEX audit_log_by_action ON audit_log (action, at DESC, id DESC);
CREATE INDEX audit_log_by_target ON audit_log (target, at DESC, id DESC);
CREATE INDEX audit_log_by_environment ON audit_log (environment, at DESC, id DESC);

-- +goose Down
DROP INDEX audit_log_by_environment;
DROP INDEX audit_log_by_target;
DROP INDEX audit_log_by_action;
DROP INDEX audit_log_by_actor;
