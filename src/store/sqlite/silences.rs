//! Silences. A row is told and read as the JSON document of a silence.

use crate::store::{Connection, StoreError};

/// Adds a silence or changes it. `row` is its JSON document.
pub async fn silence_put(connection: &mut Connection, row: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO silences (id, matchers, starts_at, ends_at, created_by, comment, updated_at)
         SELECT ?1 ->> 'id', ?1 -> 'matchers', ?1 ->> 'starts_at', ?1 ->> 'ends_at', ?1 ->> 'created_by',
                ?1 ->> 'comment', ?1 ->> 'updated_at'
         WHERE true
         ON CONFLICT DO UPDATE SET matchers = excluded.matchers, starts_at = excluded.starts_at,
                ends_at = excluded.ends_at, created_by = excluded.created_by, comment = excluded.comment,
                updated_at = excluded.updated_at",
    )
    .bind(row)
    .execute(connection)
    .await?;
    Ok(())
}

/// All silences.
pub async fn silences_load(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT json_object('id', id, 'matchers', json(matchers), 'starts_at', starts_at, 'ends_at', ends_at,
                            'created_by', created_by, 'comment', comment, 'updated_at', updated_at)
         FROM silences",
    )
    .fetch_all(connection)
    .await?)
}

/// Forgets silences. `ids` is a JSON array.
pub async fn silences_delete(connection: &mut Connection, ids: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM silences WHERE id IN (SELECT value FROM json_each(?1))")
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(())
}
