-- Where the documents of a backup came from: a client sent them, they are the board's own (secrets are in there), or they
-- were fetched from an application.
ALTER TABLE backups ADD COLUMN source TEXT NOT NULL DEFAULT 'request' CHECK (source IN ('request', 'board', 'http'));
