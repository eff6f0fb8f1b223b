//! Facts about the board itself.

use std::collections::HashMap;

use crate::store::{Connection, StoreError};

/// All facts, by key.
pub async fn board_load(connection: &mut Connection) -> Result<HashMap<String, String>, StoreError> {
    let facts: Vec<_> = sqlx::query_as("SELECT key, value FROM board").fetch_all(connection).await?;
    Ok(facts.into_iter().collect())
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
