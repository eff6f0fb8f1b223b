//! Declared resources: their names, and the configurations that they share.

use sha2::{Digest, Sha256};
use sqlx::SqlitePool;

use crate::store::{Connection, Pairs, StoreError};

/// The stored configuration, as the text that was put.
pub async fn definition_get(
    connection: &mut Connection,
    kind: &str,
    name: &str,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT document FROM definitions JOIN configs ON id = config WHERE kind = ?1 AND name = ?2",
    )
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
    document: &str,
) -> Result<(), StoreError> {
    let id = config_id(document);
    sqlx::query("INSERT INTO configs (id, document) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(document)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO definitions (kind, name, config) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET config = excluded.config",
    )
    .bind(kind)
    .bind(name)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Equal documents have equal ids; different ones the same with a chance of one in 2⁶⁴.
fn config_id(document: &str) -> i64 {
    let hash = Sha256::digest(document.as_bytes());
    i64::from_be_bytes(std::array::from_fn(|i| hash[i]))
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

/// The kinds of which there is something, here or in `states`. A start asks for that once, and not for each kind of which
/// there is nothing: to an empty board that is most of them.
pub async fn kinds_load(connection: &mut Connection) -> Result<Kinds, StoreError> {
    // From each kind to the next: that takes as long as there are kinds, not as there are rows.
    let kinds = "WITH RECURSIVE
        defined (kind) AS (SELECT min(kind) FROM definitions UNION ALL
            SELECT (SELECT min(kind) FROM definitions WHERE kind > defined.kind) FROM defined WHERE kind IS NOT NULL),
        saved (kind) AS (SELECT min(kind) FROM states UNION ALL
            SELECT (SELECT min(kind) FROM states WHERE kind > saved.kind) FROM saved WHERE kind IS NOT NULL)
        SELECT kind FROM defined WHERE kind IS NOT NULL UNION SELECT kind FROM saved WHERE kind IS NOT NULL";
    Ok(Kinds(sqlx::query_scalar(kinds).fetch_all(connection).await?))
}

/// See [`kinds_load`].
#[derive(Clone, Debug)]
pub struct Kinds(Vec<String>);

impl Kinds {
    /// Whether there is something of this kind.
    #[must_use]
    pub fn has(&self, kind: &str) -> bool {
        self.0.iter().any(|some| some == kind)
    }
}

/// All names of a kind with the ids of their configurations, as [`Pairs`].
pub async fn definitions_load(
    connection: &mut Connection,
    kinds: &Kinds,
    kind: &str,
) -> Result<Pairs, StoreError> {
    if !kinds.has(kind) {
        return Ok(Pairs::default());
    }
    let lines = "SELECT group_concat(line, char(10))
                 FROM (SELECT name || char(9) || config AS line FROM definitions WHERE kind = ?1 ORDER BY name)";
    Ok(Pairs(sqlx::query_scalar(lines).bind(kind).fetch_one(connection).await?))
}

/// All configurations: id, as [`definitions_load`] spells it, and document.
pub async fn configs_load(connection: &mut Connection) -> Result<Vec<(String, String)>, StoreError> {
    Ok(sqlx::query_as("SELECT CAST(id AS TEXT), document FROM configs").fetch_all(connection).await?)
}

/// All resources of a kind, as they are inside of a JSON object: `"name":document` with commas between them, in the order
/// of names.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KindRow {
    /// The kind.
    pub kind: String,
    /// The members of the object.
    pub members: String,
}

/// Everything that is declared, as of one instant, in the order of kinds. No name needs an escape.
pub async fn definitions_by_kind(pool: &SqlitePool) -> Result<Vec<KindRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT kind, group_concat('\"' || name || '\":' || document, ',' ORDER BY name) AS members
         FROM definitions JOIN configs ON id = config GROUP BY kind ORDER BY kind",
    )
    .fetch_all(pool)
    .await?)
}
