-- +goose Up

-- What is under way is counted in the memory of the one process that uses this file.
SELECT 1;

-- +goose Down
SELECT 1;
