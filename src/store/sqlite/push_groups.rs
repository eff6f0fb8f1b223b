//! Groups of pushed metrics.

use crate::store::{Connection, Pairs, StoreError};

/// Saves many at once. `rows` is a JSON array of `[labels, state]`.
pub async fn push_groups_put(connection: &mut Connection, rows: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO push_groups (labels, state)
         SELECT row.value ->> 0, row.value -> 1 FROM json_each(?1) AS row WHERE true
         ON CONFLICT DO UPDATE SET state = excluded.state",
    )
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets many at once. `keys` is a JSON array of labels.
pub async fn push_groups_delete(connection: &mut Connection, keys: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM push_groups WHERE labels IN (SELECT key.value FROM json_each(?1) AS key)")
        .bind(keys)
        .execute(connection)
        .await?;
    Ok(())
}

/// All groups, as [`Pairs`].
pub async fn push_groups_load(connection: &mut Connection) -> Result<Pairs, StoreError> {
    let lines = "SELECT group_concat(line, char(10))
                 FROM (SELECT labels || char(9) || state AS line FROM push_groups ORDER BY labels)";
    Ok(Pairs(sqlx::query_scalar(lines).fetch_one(connection).await?))
}
