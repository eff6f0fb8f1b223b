//! Objects that may exist although no chunk refers to them, and the stores that they lie in.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// Announces objects (a JSON array of their locations) before they are put.
pub async fn objects_announce(
    connection: &mut Connection,
    locations: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO objects (location, since, doomed) SELECT value, ?2, FALSE FROM json_each(?1)")
        .bind(locations)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// A chunk refers to the object from now on. Says whether it may: not if it is doomed.
pub async fn object_use(connection: &mut Connection, location: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM objects WHERE location = ?1 AND NOT doomed")
        .bind(location)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// No chunk will refer to the object.
pub async fn object_doom(connection: &mut Connection, location: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE objects SET doomed = TRUE WHERE location = ?1")
        .bind(location)
        .execute(connection)
        .await?;
    Ok(())
}

/// Objects were announced before `before`, and no chunk refers to them.
pub async fn objects_are_late(pool: &SqlitePool, before: i64) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM objects WHERE NOT doomed AND since < ?1)")
        .bind(before)
        .fetch_one(pool)
        .await?)
}

/// Dooms what was announced before `before`.
pub async fn objects_doom_late(connection: &mut Connection, before: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE objects SET doomed = TRUE WHERE NOT doomed AND since < ?1")
        .bind(before)
        .execute(connection)
        .await?;
    Ok(())
}

/// Up to `limit` doomed objects of a store.
pub async fn objects_doomed(pool: &SqlitePool, store: &str, limit: i64) -> Result<Vec<String>, StoreError> {
    // '0' comes after '/'.
    Ok(sqlx::query_scalar(
        "SELECT location FROM objects WHERE doomed AND location > ?1 || '/' AND location < ?1 || '0' LIMIT ?2",
    )
    .bind(store)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// Objects (a JSON array of their locations) do not exist any more.
pub async fn objects_forget(connection: &mut Connection, locations: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM objects WHERE location IN (SELECT value FROM json_each(?1))")
        .bind(locations)
        .execute(connection)
        .await?;
    Ok(())
}

/// How many objects may exist although no chunk refers to them.
pub async fn objects_count(pool: &SqlitePool) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM objects").fetch_one(pool).await?)
}

/// Where a store was when it was last used.
pub async fn store_place(pool: &SqlitePool, id: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT place FROM object_stores WHERE id = ?1")
        .bind(id)
        .fetch_optional(pool)
        .await?)
}

/// Whether a store was at this place.
pub async fn store_was_at(pool: &SqlitePool, place: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM object_stores WHERE place = ?1)")
        .bind(place)
        .fetch_one(pool)
        .await?)
}

/// Notes where a store is.
pub async fn store_put(connection: &mut Connection, id: &str, place: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO object_stores (id, place) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET place = excluded.place",
    )
    .bind(id)
    .bind(place)
    .execute(connection)
    .await?;
    Ok(())
}
