//! Results of checks.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// The most rows that one look for old results goes through.
const OLD_AT_ONCE: i64 = 20_000;

/// One stored result; `details` is a JSON object.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CheckResultRow {
    /// Grows with every result of the board.
    pub id: i64,
    /// Nanoseconds since 1970.
    pub at: i64,
    /// `green`, `yellow` or `red`.
    pub status: String,
    /// In a sentence.
    pub message: String,
    /// What else is of interest.
    pub details: String,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took.
    pub duration_seconds: Option<f64>,
}

/// Adds many at once; `rows` is a JSON array of `[id, check, at, status, message, details, error, duration]`.
///
/// Rows that are there already are left alone, so a repeated write is harmless. Results of checks that were deleted
/// meanwhile are left out. `CROSS JOIN` keeps the order of the loops, as in [`states_put`](super::states::states_put).
pub async fn check_results_add(connection: &mut Connection, rows: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO check_results (id, check_name, at, status, message, details, error, duration_seconds)
         SELECT row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3, row.value ->> 4,
                row.value -> 5, row.value ->> 6, row.value ->> 7
         FROM json_each(?1) AS row
         CROSS JOIN definitions ON definitions.kind = 'check' AND definitions.name = row.value ->> 1
         WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// The largest id, or zero.
pub async fn check_result_last_id(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM check_results").fetch_one(connection).await?)
}

/// Up to `limit` results of a check before `before`, newest first.
pub async fn check_results_before(
    pool: &SqlitePool,
    check: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<CheckResultRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, at, status, message, details, error, duration_seconds FROM check_results
         WHERE check_name = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )
    .bind(check)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// Keeps the newest `keep` results of one check.
pub async fn check_results_prune_of(
    connection: &mut Connection,
    check: &str,
    keep: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM check_results WHERE check_name = ?1 AND id <= (
             SELECT id FROM check_results WHERE check_name = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(check)
    .bind(keep)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets results from before `before` (nanoseconds since 1970). It looks at the oldest ones only: ids grow with time.
pub async fn check_results_prune_old(connection: &mut Connection, before: i64) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM check_results WHERE id IN (
             SELECT id FROM (SELECT id, at FROM check_results ORDER BY id LIMIT ?2) WHERE at < ?1)",
    )
    .bind(before)
    .bind(OLD_AT_ONCE)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
