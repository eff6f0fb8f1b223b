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

/// Up to `limit` alerts before `before`, newest first.
pub async fn alerts_before(
    pool: &SqlitePool,
    filter: &AlertFilter,
    before: i64,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    // Each wanted metric name is found by the index; without one the alerts are gone through in their order.
    let any = "SELECT document FROM alerts
               WHERE id < ?1 AND (?3 IS NULL OR threshold_id = ?3) AND (?4 IS NULL OR state = ?4)
                 AND (?5 IS NULL OR level = ?5) AND (?6 IS NULL OR started_at >= ?6) AND (?7 IS NULL OR started_at < ?7)
                 AND ?2 IS NULL
               ORDER BY id DESC LIMIT ?8";
    let of_metric = "SELECT document FROM alerts
               WHERE id < ?1 AND (?3 IS NULL OR threshold_id = ?3) AND (?4 IS NULL OR state = ?4)
                 AND (?5 IS NULL OR level = ?5) AND (?6 IS NULL OR started_at >= ?6) AND (?7 IS NULL OR started_at < ?7)
                 AND metric_name = ?2
               ORDER BY id DESC LIMIT ?8";
    Ok(sqlx::query_scalar(if filter.metric_name.is_some() { of_metric } else { any })
        .bind(before)
        .bind(&filter.metric_name)
        .bind(&filter.threshold_id)
        .bind(filter.state)
        .bind(filter.level)
        .bind(filter.since)
        .bind(filter.until)
        .bind(limit)
        .fetch_all(pool)
        .await?)
}

/// Deletes one that is over; false if there is none.
pub async fn alert_delete(connection: &mut Connection, id: i64) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM alerts WHERE id = ?1 AND state = 'resolved'")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes up to `most` that are over, the oldest first, and returns their ids.
pub async fn alerts_delete(
    connection: &mut Connection,
    filter: &AlertFilter,
    most: i64,
) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "DELETE FROM alerts WHERE id IN (
             SELECT id FROM alerts
             WHERE state = 'resolved' AND (?1 IS NULL OR metric_name = ?1) AND (?2 IS NULL OR threshold_id = ?2)
               AND (?3 IS NULL OR level = ?3) AND (?4 IS NULL OR started_at >= ?4) AND (?5 IS NULL OR started_at < ?5)
             ORDER BY id LIMIT ?6)
         RETURNING id",
    )
    .bind(&filter.metric_name)
    .bind(&filter.threshold_id)
    .bind(filter.level)
    .bind(filter.since)
    .bind(filter.until)
    .bind(most)
    .fetch_all(connection)
    .await?)
}

/// Deletes up to `most` that were over before then, and returns their ids.
pub async fn alerts_prune_old(
    connection: &mut Connection,
    before: i64,
    most: i64,
) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "DELETE FROM alerts WHERE id IN (
             SELECT id FROM alerts WHERE resolved_at < ?1 ORDER BY resolved_at LIMIT ?2)
         RETURNING id",
    )
    .bind(before)
    .bind(most)
    .fetch_all(connection)
    .await?)
}

/// How many are over.
pub async fn alerts_resolved_count(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM alerts WHERE resolved_at IS NOT NULL")
        .fetch_one(connection)
        .await?)
}

/// Deletes the `count` that were over first, and returns their ids.
pub async fn alerts_prune_count(connection: &mut Connection, count: i64) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "DELETE FROM alerts WHERE id IN (
             SELECT id FROM alerts WHERE resolved_at IS NOT NULL ORDER BY resolved_at LIMIT ?1)
         RETURNING id",
    )
    .bind(count)
    .fetch_all(connection)
    .await?)
}
