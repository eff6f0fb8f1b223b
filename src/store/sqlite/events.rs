//! The record of what happened.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// One stored event; `data` is a JSON document.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EventRow {
    /// Position in the board's order of events.
    pub id: i64,
    /// RFC 3339, UTC.
    pub at: String,
    /// Such as `breaker.transition`.
    pub kind: String,
    /// The kind of resource: `breaker`, `limiter`, `retry_policy`, `board`.
    pub resource: String,
    /// The resource's name.
    pub name: String,
    /// What happened, as JSON.
    pub data: String,
}

/// The largest id, or zero.
pub async fn event_last_id(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM events").fetch_one(connection).await?)
}

/// Up to `limit` events after `after`, oldest first.
pub async fn events_after(pool: &SqlitePool, after: i64, limit: i64) -> Result<Vec<EventRow>, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM events WHERE id > ?1 ORDER BY id LIMIT ?2")
        .bind(after)
        .bind(limit)
        .fetch_all(pool)
        .await?)
}

/// Up to `limit` events before `before`, newest first.
pub async fn events_before(pool: &SqlitePool, before: i64, limit: i64) -> Result<Vec<EventRow>, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM events WHERE id < ?1 ORDER BY id DESC LIMIT ?2")
        .bind(before)
        .bind(limit)
        .fetch_all(pool)
        .await?)
}

/// Like [`events_before`], of one resource.
pub async fn events_before_of(
    pool: &SqlitePool,
    resource: &str,
    name: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<EventRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM events WHERE resource = ?1 AND name = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
    )
    .bind(resource)
    .bind(name)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// The oldest id that is kept, or `None` when there are no events.
pub async fn event_first_id(pool: &SqlitePool) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar("SELECT min(id) FROM events").fetch_one(pool).await?)
}

/// Keeps the newest `keep` events of the whole board. It reads as many rows as it keeps, unless their ids show that
/// there cannot be too many.
pub async fn events_prune(connection: &mut Connection, keep: i64) -> Result<u64, StoreError> {
    let span: i64 =
        sqlx::query_scalar("SELECT coalesce(max(id) - (SELECT min(id) FROM events), 0) FROM events")
            .fetch_one(&mut *connection)
            .await?;
    if span < keep {
        return Ok(0);
    }
    let done = sqlx::query(
        "DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?1)",
    )
    .bind(keep)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Keeps the newest `keep` events of one resource, so that a restless one does not push out the others.
pub async fn events_prune_of(
    connection: &mut Connection,
    resource: &str,
    name: &str,
    keep: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM events WHERE resource = ?1 AND name = ?2 AND id <= (
             SELECT id FROM events WHERE resource = ?1 AND name = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    )
    .bind(resource)
    .bind(name)
    .bind(keep)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
