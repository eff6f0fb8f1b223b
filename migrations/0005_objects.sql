-- Chunks by the key that encrypted them: which have to be sealed anew, and what there is, without touching their content.
CREATE INDEX chunks_by_key ON chunks (key, id, size, stored);
