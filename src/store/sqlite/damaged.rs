//! Chunks that were found damaged.

use crate::store::{Connection, StoreError};

/// Chunks with these hashes (a JSON array of hexadecimal texts) are damaged.
pub async fn chunks_damaged(connection: &mut Connection, hashes: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO damaged_chunks (chunk)
         SELECT id FROM chunks WHERE hash IN (SELECT unhex(value) FROM json_each(?1)) ON CONFLICT DO NOTHING",
    )
    .bind(hashes)
    .execute(connection)
    .await?;
    Ok(())
}
