-- Backups. Their documents lie in blobs, which are cut into chunks that any number of blobs share.

-- `hash` is the BLAKE3 of the plain content, `size` its length. `codec` says how `content` was packed, `key` which key
-- encrypted it (NULL: none). With an object store `content` is NULL and `location` names the object.
CREATE TABLE chunks (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    hash     BLOB NOT NULL UNIQUE,
    size     INTEGER NOT NULL,
    codec    INTEGER NOT NULL,
    key      BLOB,
    stored   INTEGER NOT NULL,
    location TEXT,
    content  BLOB
) STRICT;

-- `open`: being written; `kept`: something refers to it; `dropped`: to be swept. Ids are never used again, so that no
-- reader meets another blob under the id that it holds.
CREATE TABLE blobs (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('open', 'kept', 'dropped'))
) STRICT;

CREATE INDEX blobs_to_sweep ON blobs (id) WHERE state <> 'kept';

-- Which chunk has the bytes of a blob from `start` on.
CREATE TABLE blob_chunks (
    blob  INTEGER NOT NULL,
    start INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    PRIMARY KEY (blob, start)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_chunks_by_chunk ON blob_chunks (chunk);

-- `source` says where the documents came from: a client sent them, they are the board's own (secrets are in there), or they
-- were fetched from an application. `at` and `verified_at` are in nanoseconds of the wall clock since 1970. `documents` is a JSON array of
-- [key, offset, length] within the blob, `damage` a JSON array of what the last verification found.
CREATE TABLE backups (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    backup_id    TEXT NOT NULL UNIQUE,
    backup_type  TEXT NOT NULL,
    at           INTEGER NOT NULL,
    blob         INTEGER NOT NULL,
    size_bytes   INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    compressed   INTEGER NOT NULL,
    sha256       BLOB NOT NULL,
    labels       TEXT NOT NULL,
    pinned       INTEGER NOT NULL,
    actor        TEXT,
    verified_at  INTEGER,
    damage       TEXT,
    source       TEXT NOT NULL CHECK (source IN ('request', 'board', 'http')),
    documents    TEXT NOT NULL
) STRICT;

CREATE INDEX backups_by_time ON backups (at, id);
CREATE INDEX backups_by_type ON backups (backup_type, at, id);
-- What to verify next, without a look at everything.
CREATE INDEX backups_by_verification ON backups (coalesce(verified_at, 0), id);

-- Who took what back, and why. Outlives the backup.
CREATE TABLE restores (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    backup_id   TEXT NOT NULL,
    at          INTEGER NOT NULL,
    actor       TEXT,
    client      TEXT,
    reason      TEXT,
    pre_restore TEXT
) STRICT;

CREATE INDEX restores_by_backup ON restores (backup_id, id);
