-- Silences. `matchers` is a JSON array of texts; times are RFC 3339 in UTC.
CREATE TABLE silences (
    id         TEXT PRIMARY KEY,
    matchers   TEXT NOT NULL,
    starts_at  TEXT NOT NULL,
    ends_at    TEXT NOT NULL,
    created_by TEXT NOT NULL,
    comment    TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What each group has told: `told` is a JSON array of ids of alerts that were told to fire and not yet to be resolved.
-- It is written together with the notification that tells it.
CREATE TABLE notification_log (
    group_key TEXT NOT NULL,
    receiver  TEXT NOT NULL,
    labels    TEXT NOT NULL,
    told      TEXT NOT NULL,
    at        TEXT NOT NULL,
    PRIMARY KEY (group_key, receiver)
) STRICT, WITHOUT ROWID;

-- The outbox: what is to be delivered, and what became of it. `body` is Alertmanager's document; it may be long and
-- stands last, so that nothing else has to be read past it.
CREATE TABLE notifications (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id     TEXT NOT NULL,
    receiver        TEXT NOT NULL,
    group_key       TEXT NOT NULL,
    state           TEXT NOT NULL,
    status          TEXT NOT NULL,
    alerts          INTEGER NOT NULL,
    created_at      TEXT NOT NULL,
    valid_until     TEXT NOT NULL,
    give_up_at      TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    next_attempt_at TEXT,
    finished_at     TEXT,
    last_error      TEXT,
    body            TEXT NOT NULL
) STRICT;

CREATE INDEX notifications_pending ON notifications (id) WHERE state = 'pending';
CREATE INDEX notifications_finished ON notifications (state, finished_at) WHERE state <> 'pending';
