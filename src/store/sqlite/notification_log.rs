//! What each group of alerts has told.

use crate::store::{Connection, StoreError};

/// One group's log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LogRow {
    /// The group.
    pub group_key: String,
    /// Who was told.
    pub receiver: String,
    /// The labels that the group's alerts share, as text.
    pub labels: String,
    /// JSON array of ids of alerts that were told to fire and not to be resolved.
    pub told: String,
    /// When something was told last; RFC 3339, UTC.
    pub at: String,
}

/// Notes what a group has told.
pub async fn log_put(connection: &mut Connection, row: &LogRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO notification_log (group_key, receiver, labels, told, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET labels = excluded.labels, told = excluded.told, at = excluded.at",
    )
    .bind(&row.group_key)
    .bind(&row.receiver)
    .bind(&row.labels)
    .bind(&row.told)
    .bind(&row.at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what a group has told.
pub async fn log_delete(
    connection: &mut Connection,
    group_key: &str,
    receiver: &str,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM notification_log WHERE group_key = ?1 AND receiver = ?2")
        .bind(group_key)
        .bind(receiver)
        .execute(connection)
        .await?;
    Ok(())
}

/// The logs of all groups.
pub async fn log_load(connection: &mut Connection) -> Result<Vec<LogRow>, StoreError> {
    Ok(sqlx::query_as("SELECT group_key, receiver, labels, told, at FROM notification_log")
        .fetch_all(connection)
        .await?)
}
