//! Stored answers of durable requests that carried an `Idempotency-Key`.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// A stored answer.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AnswerRow {
    /// Hash of the request that the key belongs to.
    pub fingerprint: Vec<u8>,
    /// HTTP status.
    pub status: i64,
    /// JSON body.
    pub body: Vec<u8>,
}

/// The answer stored under `key`.
pub async fn answer_get(pool: &SqlitePool, key: &str) -> Result<Option<AnswerRow>, StoreError> {
    Ok(sqlx::query_as("SELECT fingerprint, status, body FROM idempotency_keys WHERE key = ?1")
        .bind(key)
        .fetch_optional(pool)
        .await?)
}

/// Stores an answer; the first one stays.
pub async fn answer_put(
    connection: &mut Connection,
    key: &str,
    answer: &AnswerRow,
    created_at: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO idempotency_keys (key, fingerprint, status, body, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )
    .bind(key)
    .bind(&answer.fingerprint)
    .bind(answer.status)
    .bind(&answer.body)
    .bind(created_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets answers older than `before` (seconds since 1970).
pub async fn answers_prune(connection: &mut Connection, before: i64) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM idempotency_keys WHERE created_at < ?1")
        .bind(before)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
