-- Each environment keeps its history for a time of its own. What is oldest is found by environment, so that a purge of the one that
-- keeps less does not read again and again what the other still keeps. runs_age serves the list of all runs, too.
-- +goose Up
DROP INDEX device_history_age;
CREATE INDEX device_history_age ON device_history (environment, received_at);
DROP INDEX actions_ended;
CREATE INDEX actions_ended ON actions (environment, completed_at) WHERE completed_at > 0;
DROP INDEX runs_age;
CREATE INDEX runs_age ON runs (environment, decided_at);

-- +goose Down
DROP INDEX runs_age;
CREATE INDEX runs_age ON runs (decided_at);
DROP INDEX actions_ended;
CREATE INDEX actions_ended ON actions (completed_at) WHERE completed_at > 0;
DROP INDEX device_history_age;
CREATE INDEX device_history_age ON device_history (received_at);
