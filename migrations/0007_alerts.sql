-- Alerts, one for each time that something was wrong. Ids ascend and are never used again. `started_at` and `resolved_at`
-- are in nanoseconds of the wall clock since 1970; `document` is the whole alert as JSON, the columns are what it is found by.
CREATE TABLE alerts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    metric_name  TEXT NOT NULL,
    threshold_id TEXT,
    level        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('firing', 'resolved')),
    started_at   INTEGER NOT NULL,
    resolved_at  INTEGER,
    document     TEXT NOT NULL
) STRICT;

CREATE INDEX alerts_by_metric ON alerts (metric_name, id);
CREATE INDEX alerts_firing ON alerts (id) WHERE state = 'firing';
CREATE INDEX alerts_by_end ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- Series that a threshold keeps an eye on besides those that are firing: those stand in `alerts`. `labels` is Prometheus'
-- text in the order of names; times inside `state` are nanoseconds of the steady clock, as in `states`.
CREATE TABLE threshold_series (
    threshold TEXT NOT NULL,
    labels    TEXT NOT NULL,
    state     TEXT NOT NULL,
    PRIMARY KEY (threshold, labels)
) STRICT, WITHOUT ROWID;
