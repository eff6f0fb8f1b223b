-- Runs of schedules. `id` ascends and is unique within the schedule, also when it is deleted and declared again.
-- `output` and `missed` are JSON; `output` may be long and stands last, so that nothing else has to be read past it.
CREATE TABLE runs (
    schedule      TEXT NOT NULL,
    id            INTEGER NOT NULL,
    scheduled_for TEXT NOT NULL,
    started_at    TEXT,
    finished_at   TEXT,
    status        TEXT NOT NULL,
    trigger       TEXT NOT NULL,
    actor         TEXT,
    missed        TEXT,
    output        TEXT,
    PRIMARY KEY (schedule, id)
) STRICT;

-- A deleted schedule takes its runs along. What remains is how far it has counted: new schedules go on from there, so
-- that no run id is ever used again.
CREATE TRIGGER schedule_deleted AFTER DELETE ON definitions WHEN OLD.kind = 'schedule' BEGIN
    DELETE FROM runs WHERE schedule = OLD.name;
    INSERT INTO board (key, value)
    SELECT 'next_run', state ->> 'next_id' FROM states WHERE kind = 'schedule' AND name = OLD.name
    ON CONFLICT DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER));
END;
