//! Pushed metrics and their series.

use crate::store::{Connection, StoreError};

/// Saves heads and series. `heads` is a JSON array of `[metric, head]`, `rows` one of `[metric, labels, at, ttl, value]`; of
/// each metric that has rows there must be a head.
pub async fn series_put(connection: &mut Connection, heads: &str, rows: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO metrics (name, head)
         SELECT head.value ->> 0, head.value -> 1 FROM json_each(?1) AS head
         WHERE true
         ON CONFLICT (name) DO UPDATE SET head = excluded.head WHERE head <> excluded.head",
    )
    .bind(heads)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO series (metric, labels, at, ttl, value)
         SELECT metrics.id, row.value ->> 1, row.value ->> 2, row.value ->> 3, row.value -> 4
         FROM json_each(?1) AS row
         CROSS JOIN metrics ON metrics.name = row.value ->> 0
         WHERE true
         ON CONFLICT DO UPDATE SET at = excluded.at, ttl = excluded.ttl, value = excluded.value",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets series that are over; how many.
pub async fn series_end(connection: &mut Connection, now: i64) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM series WHERE ttl IS NOT NULL AND at + ttl <= ?1")
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Forgets metrics without series.
pub async fn metrics_prune(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM metrics WHERE NOT EXISTS (SELECT 1 FROM series WHERE series.metric = metrics.id)",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets a metric with its series.
pub async fn metric_delete(connection: &mut Connection, name: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM metrics WHERE name = ?1").bind(name).execute(connection).await?;
    Ok(())
}

/// Moves all times, because the steady clock has another zero.
pub async fn series_shift(connection: &mut Connection, nanos: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE series SET at = at + ?1").bind(nanos).execute(connection).await?;
    Ok(())
}

/// All metrics, as a JSON array of `[id, name, head]` in the order of ids.
pub async fn metrics_load(connection: &mut Connection) -> Result<String, StoreError> {
    let all =
        "SELECT json_group_array(json_array(id, name, json(head))) FROM (SELECT * FROM metrics ORDER BY id)";
    Ok(sqlx::query_scalar(all).fetch_one(connection).await?)
}

/// Up to `limit` series after one, as a JSON array of `[metric, labels, at, ttl, value]` in the order of metrics and labels.
pub async fn series_load(
    connection: &mut Connection,
    after: (i64, &str),
    limit: i64,
) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT json_group_array(json_array(metric, labels, at, ttl, json(value)))
         FROM (SELECT * FROM series WHERE (metric, labels) > (?1, ?2) ORDER BY metric, labels LIMIT ?3)",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(limit)
    .fetch_one(connection)
    .await?)
}

/// The `number`-th series after one: metric and labels.
pub async fn series_key(
    connection: &mut Connection,
    after: (i64, &str),
    number: i64,
) -> Result<Option<(i64, String)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT metric, labels FROM series WHERE (metric, labels) > (?1, ?2)
         ORDER BY metric, labels LIMIT 1 OFFSET ?3 - 1",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(number)
    .fetch_optional(connection)
    .await?)
}
