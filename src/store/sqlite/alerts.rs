//! Alerts, and where the series of thresholds stand.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// Which alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Of this metric.
    pub metric_name: Option<String>,
    /// Of this threshold.
    pub threshold_id: Option<String>,
    /// In this state.
    pub state: Option<&'static str>,
    /// Of this level.
    pub level: Option<&'static str>,
    /// That fired then or later, in nanoseconds since 1970.
    pub since: Option<i64>,
    /// That fired before then.
    pub until: Option<i64>,
}

/// Stores alerts as they are now. `rows` is a JSON array of
/// `[id, metric_name, threshold_id, level, state, started_at, resolved_at, document]`; the last row of an alert counts.
pub async fn alerts_put(connection: &mut Connection, rows: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alerts (id, metric_name, threshold_id, level, state, started_at, resolved_at, document)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value -> 7
         FROM json_each(?1) WHERE true
         ON CONFLICT DO UPDATE SET level = excluded.level, state = excluded.state,
                                   resolved_at = excluded.resolved_at, document = excluded.document",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// The largest id that any alert ever had, or zero.
pub async fn alert_last_id(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'alerts'")
        .fetch_one(connection)
        .await?)
}

/// The alerts that are firing.
pub async fn alerts_firing(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT document FROM alerts WHERE state = 'firing' ORDER BY id")
        .fetch_all(connection)
        .await?)
}

/// The newest `limit` of the alerts that were resolved since then, oldest first.
pub async fn alerts_resolved_since(
    connection: &mut Connection,
    since: i64,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT document FROM (SELECT document, resolved_at, id FROM alerts WHERE resolved_at >= ?1
                               ORDER BY resolved_at DESC, id DESC LIMIT ?2)
         ORDER BY resolved_at, id",
    )
    .bind(since)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

/// Stores where series stand. `rows` is a JSON array of `[threshold, labels, state]`.
pub async fn series_put(connection: &mut Connection, rows: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO threshold_series (threshold, labels, state)
         SELECT value ->> 0, value ->> 1, value -> 2 FROM json_each(?1) WHERE true
         ON CONFLICT DO UPDATE SET state = excluded.state",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets series. `rows` is a JSON array of `[threshold, labels]`.
pub async fn series_forget(connection: &mut Connection, rows: &str) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM threshold_series
         WHERE (threshold, labels) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// Where all series stand: threshold, labels, state; by threshold.
pub async fn series_load(connection: &mut Connection) -> Result<Vec<(String, String, String)>, StoreError> {
    Ok(sqlx::query_as("SELECT threshold, labels, state FROM threshold_series ORDER BY threshold, labels")
        .fetch_all(connection)
        .await?)
}

/// One alert.
pub async fn alert_get(pool: &SqlitePool, id: i64) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT document FROM alerts WHERE id = ?1").bind(id).fetch_optional(pool).await?)
}
