//! Saved hot state, by kind and name.

use super::definitions::Kinds;
use crate::store::{Connection, Pairs, StoreError};

/// Saves many at once. `rows` is a JSON array of `[name, state]`; a state is a JSON document.
///
/// `CROSS JOIN` keeps the order of the loops: the other way round, every definition would parse all rows again.
///
/// Only resources that are still declared as `resource` are saved, so that a late save never brings back the
/// state of one that was deleted meanwhile.
pub async fn states_put(
    connection: &mut Connection,
    kind: &str,
    resource: &str,
    rows: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO states (kind, name, state)
         SELECT ?1, row.value ->> 0, row.value -> 1
         FROM json_each(?3) AS row
         CROSS JOIN definitions ON definitions.kind = ?2 AND definitions.name = row.value ->> 0
         WHERE true
         ON CONFLICT DO UPDATE SET state = excluded.state",
    )
    .bind(kind)
    .bind(resource)
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets the state of one resource.
pub async fn state_delete(connection: &mut Connection, kind: &str, name: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM states WHERE kind = ?1 AND name = ?2")
        .bind(kind)
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

/// All saved states of a kind, as [`Pairs`].
pub async fn states_load(
    connection: &mut Connection,
    kinds: &Kinds,
    kind: &str,
) -> Result<Pairs, StoreError> {
    if !kinds.has(kind) {
        return Ok(Pairs::default());
    }
    let lines = "SELECT group_concat(line, char(10))
                 FROM (SELECT name || char(9) || state AS line FROM states WHERE kind = ?1 ORDER BY name)";
    Ok(Pairs(sqlx::query_scalar(lines).bind(kind).fetch_one(connection).await?))
}
