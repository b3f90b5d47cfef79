-- An event is found by the time that event_ids has for it. The database holds the two together: copies of the program from before
-- events were kept by days, which may still run while an upgrade replaces them, note another time.
-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION note_event_time() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE event_ids SET received_at = NEW.received_at
        WHERE environment = NEW.environment AND id = NEW.id AND received_at <> NEW.received_at;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER note_event_time AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION note_event_time();
UPDATE event_ids i SET received_at = e.received_at FROM events e
    WHERE e.environment = i.environment AND e.id = i.id AND e.received_at <> i.received_at;

-- +goose Down
DROP TRIGGER note_event_time ON events;
DROP FUNCTION note_event_time();
