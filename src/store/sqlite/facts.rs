//! Whether a database is one of ours, and whether what its tables say of each other holds.

use std::fmt;

use crate::store::{Connection, StoreError};

/// Something that does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: &'static str,
    /// How often.
    pub count: i64,
    /// One of those that it is true of.
    pub example: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, such as {}", self.what, self.count, self.example)
    }
}

/// Each looks for one fault: how many there are, and one of them.
const FAULTS: [(&str, &str); 9] = [
    (
        "backups whose blob is not there",
        "SELECT count(*), CAST(min(backup_id) AS TEXT) FROM backups
         WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.id = backups.blob AND state = 'kept')",
    ),
    (
        "backups with a gap in their blob",
        "SELECT count(*), CAST(min(backup_id) AS TEXT) FROM backups
         WHERE size_bytes <> (SELECT coalesce(sum(size), 0) FROM blob_chunks JOIN chunks ON chunks.id = chunk
                              WHERE blob_chunks.blob = backups.blob)
            OR EXISTS (SELECT 1 FROM (SELECT start, lag(start + size, 1, 0) OVER (ORDER BY start) AS expected
                                      FROM blob_chunks JOIN chunks ON chunks.id = chunk
                                      WHERE blob_chunks.blob = backups.blob)
                       WHERE start <> expected)",
    ),
    (
        "blobs that are kept for nothing",
        "SELECT count(*), CAST(min(id) AS TEXT) FROM blobs
         WHERE state = 'kept' AND id NOT IN (SELECT blob FROM backups)",
    ),
    (
        "references of a blob that is not there",
        "SELECT count(*), CAST(min(blob) AS TEXT) FROM blob_chunks
         WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE id = blob)",
    ),
    (
        "references to a chunk that is not there",
        "SELECT count(*), CAST(min(chunk) AS TEXT) FROM blob_chunks
         WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE id = chunk)",
    ),
    (
        "chunks that no blob refers to",
        "SELECT count(*), CAST(min(id) AS TEXT) FROM chunks
         WHERE NOT EXISTS (SELECT 1 FROM blob_chunks WHERE chunk = chunks.id)",
    ),
    (
        "chunks without content",
        "SELECT count(*), CAST(min(id) AS TEXT) FROM chunks WHERE content IS NULL AND location IS NULL",
    ),
    (
        "definitions without a document",
        "SELECT count(*), CAST(min(kind || ' ' || name) AS TEXT) FROM definitions
         WHERE NOT EXISTS (SELECT 1 FROM configs WHERE id = config)",
    ),
    (
        "series of a metric that is not there",
        "SELECT count(*), CAST(min(labels) AS TEXT) FROM series
         WHERE NOT EXISTS (SELECT 1 FROM metrics WHERE id = metric)",
    ),
];

/// What does not fit together.
pub async fn faults(connection: &mut Connection) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    for (what, statement) in FAULTS {
        let (count, example): (i64, Option<String>) =
            sqlx::query_as(statement).fetch_one(&mut *connection).await?;
        if let Some(example) = example {
            faults.push(Fault { what, count, example });
        }
    }
    Ok(faults)
}

/// What SQLite says of the file: one line, `ok`, if it is whole.
pub async fn integrity(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA integrity_check").fetch_all(connection).await?)
}

/// Likewise, without comparing indexes with their tables, which takes many times as long.
pub async fn quick_check(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar("PRAGMA quick_check(10)").fetch_all(connection).await?)
}

/// Chunks whose content lies in an object store.
pub async fn chunks_elsewhere(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM chunks WHERE location IS NOT NULL")
        .fetch_one(connection)
        .await?)
}

/// Whether a database is one of ours.
pub async fn is_board(connection: &mut Connection) -> Result<bool, StoreError> {
    let ours =
        "SELECT count(*) = 3 FROM sqlite_schema WHERE name IN ('_sqlx_migrations', 'board', 'definitions')";
    Ok(sqlx::query_scalar(ours).fetch_one(connection).await?)
}

/// The number of the last migration.
pub async fn schema(connection: &mut Connection) -> Result<i64, StoreError> {
    let last = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    Ok(sqlx::query_scalar(last).fetch_one(connection).await?)
}
