//! Bearer tokens, hashed.

use crate::store::{Connection, StoreError};

/// A token as stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TokenRow {
    /// Public part, by which the token is found.
    pub id: String,
    /// What the operator called it.
    pub name: String,
    /// SHA-256 of the secret part.
    pub hash: Vec<u8>,
    /// Comma-separated scopes.
    pub scopes: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; never, if absent.
    pub expires_at: Option<String>,
}

/// All tokens, oldest first.
pub async fn tokens_list<'c>(
    executor: impl sqlx::Executor<'c, Database = sqlx::Sqlite>,
) -> Result<Vec<TokenRow>, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM tokens ORDER BY created_at, id").fetch_all(executor).await?)
}

/// Adds a token.
pub async fn token_add(connection: &mut Connection, token: &TokenRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tokens (id, name, hash, scopes, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(&token.hash)
    .bind(&token.scopes)
    .bind(&token.created_at)
    .bind(&token.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a token; false if there was none.
pub async fn token_delete(connection: &mut Connection, id: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query("DELETE FROM tokens WHERE id = ?1").bind(id).execute(connection).await?.rows_affected()
        > 0)
}
