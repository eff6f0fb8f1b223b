-- Groups of metrics that were pushed whole. `labels` is the group's key, as a string of JSON; `state` is a JSON document
-- that may be long.
CREATE TABLE push_groups (
    labels TEXT PRIMARY KEY,
    state  TEXT NOT NULL
) STRICT;
