-- Chunks by the key that encrypted them: which have to be sealed anew, and what there is, without touching their content.
CREATE INDEX chunks_by_key ON chunks (key, id, size, stored);

-- Object stores that were written to, by the id that their marker holds; `place` is where one was when it was last used.
CREATE TABLE object_stores (
    id    TEXT PRIMARY KEY,
    place TEXT NOT NULL
) STRICT;

CREATE INDEX object_stores_by_place ON object_stores (place);

-- Objects that may exist although no chunk refers to them. `location` is `{store}/{name}`, as in `chunks`. Announced at
-- `since` (nanoseconds since 1970) before they are put, and removed by the transaction that refers to them; once
-- `doomed`, nothing may refer to them any more, and they are deleted.
CREATE TABLE objects (
    location TEXT PRIMARY KEY,
    since    INTEGER NOT NULL,
    doomed   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX objects_doomed ON objects (location) WHERE doomed;

CREATE TRIGGER chunk_deleted AFTER DELETE ON chunks WHEN OLD.location IS NOT NULL BEGIN
    INSERT INTO objects (location, since, doomed) VALUES (OLD.location, 0, TRUE);
END;

CREATE TRIGGER chunk_moved AFTER UPDATE OF location ON chunks
WHEN OLD.location IS NOT NULL AND OLD.location IS NOT NEW.location BEGIN
    INSERT INTO objects (location, since, doomed) VALUES (OLD.location, 0, TRUE);
END;
