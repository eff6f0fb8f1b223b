//! Declared resources: breakers, limiters, retry policies.

use crate::store::{Connection, StoreError};

/// The stored configuration, as the text that was put.
pub async fn definition_get(
    connection: &mut Connection,
    kind: &str,
    name: &str,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT config FROM definitions WHERE kind = ?1 AND name = ?2")
        .bind(kind)
        .bind(name)
        .fetch_optional(connection)
        .await?)
}

/// Creates or replaces.
pub async fn definition_put(
    connection: &mut Connection,
    kind: &str,
    name: &str,
    config: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO definitions (kind, name, config) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET config = excluded.config",
    )
    .bind(kind)
    .bind(name)
    .bind(config)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes; false if there was none.
pub async fn definition_delete(
    connection: &mut Connection,
    kind: &str,
    name: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM definitions WHERE kind = ?1 AND name = ?2")
        .bind(kind)
        .bind(name)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// All of a kind, grouped by configuration: `(config, JSON array of names)`.
///
/// Grouping makes loading a hundred thousand breakers one row and one parsed configuration instead of
/// a hundred thousand of each.
pub async fn definitions_load(
    connection: &mut Connection,
    kind: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT config, json_group_array(name) FROM definitions WHERE kind = ?1 GROUP BY config",
    )
    .bind(kind)
    .fetch_all(connection)
    .await?)
}
