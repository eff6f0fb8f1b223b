-- Results of checks, oldest first. `at` is in nanoseconds of the wall clock since 1970; `details` is a JSON object.
CREATE TABLE check_results (
    id               INTEGER PRIMARY KEY,
    check_name       TEXT NOT NULL,
    at               INTEGER NOT NULL,
    status           TEXT NOT NULL,
    message          TEXT NOT NULL,
    details          TEXT NOT NULL,
    error            TEXT,
    duration_seconds REAL
) STRICT;

CREATE INDEX check_results_by_check ON check_results (check_name, id);

-- Nobody can ask for the results of a check that is gone.
CREATE TRIGGER check_deleted AFTER DELETE ON definitions WHEN OLD.kind = 'check' BEGIN
    DELETE FROM check_results WHERE check_name = OLD.name;
END;
