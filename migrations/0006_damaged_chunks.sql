-- Chunks that were found damaged: they are stored anew when their content comes again. A table of its own, because a
-- column behind the content would be read through all of it.
CREATE TABLE damaged_chunks (
    chunk INTEGER PRIMARY KEY
) STRICT;

CREATE TRIGGER damaged_chunk_deleted AFTER DELETE ON chunks BEGIN
    DELETE FROM damaged_chunks WHERE chunk = OLD.id;
END;

-- Only storing a chunk anew sets its size; sealing it with another key does not mend it.
CREATE TRIGGER damaged_chunk_mended AFTER UPDATE OF size ON chunks BEGIN
    DELETE FROM damaged_chunks WHERE chunk = NEW.id;
END;
