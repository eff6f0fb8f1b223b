-- Metrics that clients push. `head` is JSON: type, help and buckets.
CREATE TABLE metrics (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    head TEXT NOT NULL
) STRICT;

-- Their series. `at` is when the last sample came, `ttl` how long the series lives after it, in nanoseconds of the steady
-- clock whose origin `board` names. `value` is JSON: a number, or what a timer has seen.
CREATE TABLE series (
    metric INTEGER NOT NULL,
    labels TEXT NOT NULL,
    at     INTEGER NOT NULL,
    ttl    INTEGER,
    value  TEXT NOT NULL,
    PRIMARY KEY (metric, labels)
) STRICT, WITHOUT ROWID;

CREATE INDEX series_by_end ON series (at + ttl) WHERE ttl IS NOT NULL;

CREATE TRIGGER metric_deleted AFTER DELETE ON metrics BEGIN
    DELETE FROM series WHERE metric = OLD.id;
END;

-- A metric that was made again as something else has none of the series that it had.
CREATE TRIGGER metric_changed AFTER UPDATE OF head ON metrics WHEN OLD.head ->> 'kind' <> NEW.head ->> 'kind' BEGIN
    DELETE FROM series WHERE metric = OLD.id;
END;
