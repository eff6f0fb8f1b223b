-- What must survive a restart. Times of events are RFC 3339 in UTC; times inside `state` are nanoseconds of
-- the steady clock whose origin `board` names.

-- Validated wire documents. A hundred thousand breakers share a few of them. `id` is taken from the document's hash.
CREATE TABLE configs (
    id       INTEGER PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;

-- Declared resources of every kind.
CREATE TABLE definitions (
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    config INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX definitions_by_config ON definitions (config);

CREATE TRIGGER config_replaced AFTER UPDATE OF config ON definitions WHEN OLD.config <> NEW.config BEGIN
    DELETE FROM configs
    WHERE id = OLD.config AND NOT EXISTS (SELECT 1 FROM definitions WHERE config = OLD.config);
END;

CREATE TRIGGER config_deleted AFTER DELETE ON definitions BEGIN
    DELETE FROM configs
    WHERE id = OLD.config AND NOT EXISTS (SELECT 1 FROM definitions WHERE config = OLD.config);
END;

-- The last saved hot state of a resource, and the durable marks of limiters. Rows exist only where
-- there is something to remember.
CREATE TABLE states (
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Everything that happened, in order. A transition of a breaker is the event of kind `breaker.transition`.
CREATE TABLE events (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    resource TEXT NOT NULL,
    name     TEXT NOT NULL,
    data     TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_name ON events (resource, name, id);

-- Bearer tokens; only the SHA-256 of the secret is kept.
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    scopes     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT
) STRICT, WITHOUT ROWID;

-- Answers to replay for a repeated Idempotency-Key, committed with the effect that they report.
CREATE TABLE idempotency_keys (
    key         TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status      INTEGER NOT NULL,
    body        BLOB NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Facts about the board itself: origin of the steady clock, clean stop, hash seed.
CREATE TABLE board (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
