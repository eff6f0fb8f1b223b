//! The outbox: notifications that are to be delivered, and what became of them.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// A notification without its body. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NotificationRow {
    /// Ascends.
    pub id: i64,
    /// The same for every attempt.
    pub delivery_id: String,
    /// Who is told.
    pub receiver: String,
    /// About which group.
    pub group_key: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// How many alerts it tells.
    pub alerts: i64,
    /// When it was decided.
    pub created_at: String,
    /// Until when what fires in it holds.
    pub valid_until: String,
    /// When it is given up.
    pub give_up_at: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_attempt_at: Option<String>,
    /// When it was delivered or given up.
    pub finished_at: Option<String>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// What an attempt changes.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    /// `pending`, `delivered` or `dead`.
    pub state: &'static str,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_attempt_at: Option<String>,
    /// When it was delivered or given up.
    pub finished_at: Option<String>,
    /// Why the attempt failed.
    pub last_error: Option<String>,
}

/// Adds one that is to be delivered; its id. That of `row` does not count.
pub async fn notification_add(
    connection: &mut Connection,
    row: &NotificationRow,
    body: &str,
) -> Result<i64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO notifications (delivery_id, receiver, group_key, state, status, alerts, created_at, valid_until,
                                    give_up_at, attempts, next_attempt_at, body)
         VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7, ?8, 0, ?6, ?9)",
    )
    .bind(&row.delivery_id)
    .bind(&row.receiver)
    .bind(&row.group_key)
    .bind(&row.status)
    .bind(row.alerts)
    .bind(&row.created_at)
    .bind(&row.valid_until)
    .bind(&row.give_up_at)
    .bind(body)
    .execute(connection)
    .await?;
    Ok(done.last_insert_rowid())
}

/// Notes how an attempt went. False if there is no such notification that is pending.
pub async fn notification_attempted(
    connection: &mut Connection,
    id: i64,
    row: &AttemptRow,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE notifications SET state = ?2, attempts = ?3, next_attempt_at = ?4, finished_at = ?5, last_error = ?6
         WHERE id = ?1 AND state = 'pending'",
    )
    .bind(id)
    .bind(row.state)
    .bind(row.attempts)
    .bind(&row.next_attempt_at)
    .bind(&row.finished_at)
    .bind(&row.last_error)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives a dead notification, or one that waits for its next attempt, another chance. The row as it is then; none if there is
/// no such notification, or it was delivered.
pub async fn notification_revive(
    connection: &mut Connection,
    id: i64,
    now: &str,
    give_up_at: &str,
) -> Result<Option<NotificationRow>, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE notifications SET state = 'pending', attempts = 0, next_attempt_at = ?2, finished_at = NULL,
                                  give_up_at = ?3
         WHERE id = ?1 AND state <> 'delivered'
         RETURNING id, delivery_id, receiver, group_key, state, status, alerts, created_at, valid_until, give_up_at,
                   attempts, next_attempt_at, finished_at, last_error",
    )
    .bind(id)
    .bind(now)
    .bind(give_up_at)
    .fetch_optional(connection)
    .await?)
}

/// All that are to be delivered, oldest first.
pub async fn notifications_pending(connection: &mut Connection) -> Result<Vec<NotificationRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, delivery_id, receiver, group_key, state, status, alerts, created_at, valid_until, give_up_at,
                attempts, next_attempt_at, finished_at, last_error
         FROM notifications WHERE state = 'pending' ORDER BY id",
    )
    .fetch_all(connection)
    .await?)
}

/// The body of one.
pub async fn notification_body(pool: &SqlitePool, id: i64) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT body FROM notifications WHERE id = ?1")
        .bind(id)
        .fetch_optional(pool)
        .await?)
}

/// One, without its body.
pub async fn notification_get(pool: &SqlitePool, id: i64) -> Result<Option<NotificationRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, delivery_id, receiver, group_key, state, status, alerts, created_at, valid_until, give_up_at,
                attempts, next_attempt_at, finished_at, last_error
         FROM notifications WHERE id = ?1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?)
}

/// Up to `limit` before `before`, newest first, of one state and receiver or of all.
pub async fn notifications_before(
    pool: &SqlitePool,
    state: Option<&str>,
    receiver: Option<&str>,
    before: i64,
    limit: i64,
) -> Result<Vec<NotificationRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, delivery_id, receiver, group_key, state, status, alerts, created_at, valid_until, give_up_at,
                attempts, next_attempt_at, finished_at, last_error
         FROM notifications
         WHERE id < ?3 AND (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR receiver = ?2) ORDER BY id DESC LIMIT ?4",
    )
    .bind(state)
    .bind(receiver)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// How many are dead.
pub async fn notifications_dead(pool: &SqlitePool) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM notifications WHERE state = 'dead'").fetch_one(pool).await?)
}

/// Forgets those that were finished before an instant, and all but the newest `keep` of those that are finished.
pub async fn notifications_prune(
    connection: &mut Connection,
    before: &str,
    keep: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM notifications WHERE state <> 'pending' AND (finished_at < ?1 OR id <= (
             SELECT id FROM notifications WHERE state <> 'pending' ORDER BY id DESC LIMIT 1 OFFSET ?2))",
    )
    .bind(before)
    .bind(keep)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
