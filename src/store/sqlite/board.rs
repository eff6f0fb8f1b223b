//! Facts about the board itself.

use crate::store::{Connection, StoreError};

/// The fact stored under `key`.
pub async fn board_get(connection: &mut Connection, key: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM board WHERE key = ?1")
        .bind(key)
        .fetch_optional(connection)
        .await?)
}

/// Stores a fact.
pub async fn board_put(connection: &mut Connection, key: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO board (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets a fact.
pub async fn board_delete(connection: &mut Connection, key: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM board WHERE key = ?1").bind(key).execute(connection).await?;
    Ok(())
}
