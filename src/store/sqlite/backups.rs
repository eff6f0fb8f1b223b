//! What is known of backups, and of what was taken back.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// A backup without its documents' content.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BackupRow {
    /// Its place in the order of creation.
    pub id: i64,
    /// Its public id.
    pub backup_id: String,
    /// Its type.
    pub backup_type: String,
    /// When, in nanoseconds since 1970.
    pub at: i64,
    /// What has its documents.
    pub blob: i64,
    /// Bytes of its documents.
    pub size_bytes: i64,
    /// Bytes that it added to the store.
    pub stored_bytes: i64,
    /// Whether chunks were compressed.
    pub compressed: bool,
    /// SHA-256 of its documents.
    pub sha256: Vec<u8>,
    /// Its labels, a JSON object.
    pub labels: String,
    /// Whether it may not be deleted.
    pub pinned: bool,
    /// Whose token made it.
    pub actor: Option<String>,
    /// When it was last found whole.
    pub verified_at: Option<i64>,
    /// What the last verification found: a JSON array of texts.
    pub damage: Option<String>,
    /// `[key, offset, length]` of each document.
    pub documents: String,
    /// Where they came from.
    pub source: String,
}

/// Which backups.
#[derive(Clone, Debug, Default)]
pub struct BackupFilter {
    /// Of this type.
    pub backup_type: Option<String>,
    /// With these labels, a JSON object.
    pub labels: String,
    /// Not before this instant.
    pub since: Option<i64>,
    /// Before this instant.
    pub until: Option<i64>,
    /// Only those that were verified and are whole, or only those that are not.
    pub verified: Option<bool>,
    /// Older than this one: its instant and place.
    pub before: Option<(i64, i64)>,
}

/// Stores a backup; says whether its public id was free.
pub async fn backup_add(connection: &mut Connection, row: &BackupRow) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO backups (backup_id, backup_type, at, blob, size_bytes, stored_bytes, compressed, sha256, labels,
                              pinned, actor, verified_at, damage, documents, source)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING",
    )
    .bind(&row.backup_id)
    .bind(&row.backup_type)
    .bind(row.at)
    .bind(row.blob)
    .bind(row.size_bytes)
    .bind(row.stored_bytes)
    .bind(row.compressed)
    .bind(&row.sha256)
    .bind(&row.labels)
    .bind(row.pinned)
    .bind(&row.actor)
    .bind(row.verified_at)
    .bind(&row.damage)
    .bind(&row.documents)
    .bind(&row.source)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// One backup.
pub async fn backup_get(pool: &SqlitePool, backup_id: &str) -> Result<Option<BackupRow>, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM backups WHERE backup_id = ?1")
        .bind(backup_id)
        .fetch_optional(pool)
        .await?)
}

/// Up to `limit` backups, newest first.
pub async fn backups_list(
    pool: &SqlitePool,
    filter: &BackupFilter,
    limit: i64,
) -> Result<Vec<BackupRow>, StoreError> {
    let (at, id) = filter.before.unwrap_or((i64::MAX, i64::MAX));
    Ok(sqlx::query_as(
        "SELECT * FROM backups
         WHERE (?1 IS NULL OR backup_type = ?1) AND (?3 IS NULL OR at >= ?3) AND (?4 IS NULL OR at < ?4)
           AND (?5 IS NULL OR ?5 = (verified_at IS NOT NULL AND damage IS NULL))
           AND (at, id) < (?6, ?7)
           AND NOT EXISTS (SELECT 1 FROM json_each(?2) wanted
                           WHERE backups.labels ->> wanted.key IS NOT wanted.value)
         ORDER BY at DESC, id DESC LIMIT ?8",
    )
    .bind(&filter.backup_type)
    .bind(&filter.labels)
    .bind(filter.since)
    .bind(filter.until)
    .bind(filter.verified)
    .bind(at)
    .bind(id)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// What retention looks at.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct JudgedRow {
    /// Its place in the order of creation.
    pub id: i64,
    /// Its public id.
    pub backup_id: String,
    /// When, in nanoseconds since 1970.
    pub at: i64,
    /// Bytes of its documents.
    pub size_bytes: i64,
    /// Whether it was verified.
    pub verified: bool,
    /// Whether the last verification found damage.
    pub damaged: bool,
    /// Whether it may not be deleted.
    pub pinned: bool,
}

/// All backups of a type, as far as retention looks at them.
pub async fn backups_judged(
    connection: &mut Connection,
    backup_type: &str,
) -> Result<Vec<JudgedRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, backup_id, at, size_bytes, verified_at IS NOT NULL AS verified, damage IS NOT NULL AS damaged,
                pinned
         FROM backups WHERE backup_type = ?1",
    )
    .bind(backup_type)
    .fetch_all(connection)
    .await?)
}

/// The types that there are backups of, in their order.
pub async fn backup_types(pool: &SqlitePool) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT DISTINCT backup_type FROM backups ORDER BY backup_type")
        .fetch_all(pool)
        .await?)
}

/// Whether there is room for a backup of this type among `most` types.
pub async fn type_fits(
    connection: &mut Connection,
    backup_type: &str,
    most: i64,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM backups WHERE backup_type = ?1)
             OR (SELECT count(DISTINCT backup_type) FROM backups) < ?2",
    )
    .bind(backup_type)
    .bind(most)
    .fetch_one(connection)
    .await?)
}

/// Backups to verify: never verified ones first, then those whose last verification is before `before`.
pub async fn backups_unverified(
    pool: &SqlitePool,
    before: i64,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT backup_id FROM backups WHERE coalesce(verified_at, 0) < ?1
         ORDER BY coalesce(verified_at, 0), id LIMIT ?2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// The backup of a type and a source that was made last: its place and instant.
pub async fn backup_last(
    pool: &SqlitePool,
    backup_type: &str,
    source: &str,
) -> Result<Option<(i64, i64)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, at FROM backups WHERE backup_type = ?1 AND source = ?2 ORDER BY id DESC LIMIT 1",
    )
    .bind(backup_type)
    .bind(source)
    .fetch_optional(pool)
    .await?)
}

/// Deletes a backup, unless it is pinned, and drops its blob. Says whether it did.
pub async fn backup_delete(connection: &mut Connection, id: i64) -> Result<bool, StoreError> {
    let blob: Option<i64> =
        sqlx::query_scalar("DELETE FROM backups WHERE id = ?1 AND NOT pinned RETURNING blob")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
    let Some(blob) = blob else { return Ok(false) };
    super::blobs::blob_drop(connection, blob).await?;
    Ok(true)
}

/// Notes how a verification went: found whole at an instant, or what is wrong.
pub async fn backup_mark(
    connection: &mut Connection,
    id: i64,
    verified_at: Option<i64>,
    damage: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE backups SET verified_at = coalesce(?2, verified_at), damage = ?3 WHERE id = ?1")
        .bind(id)
        .bind(verified_at)
        .bind(damage)
        .execute(connection)
        .await?;
    Ok(())
}

/// Protects a backup, or no longer.
pub async fn backup_pin(connection: &mut Connection, id: i64, pinned: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE backups SET pinned = ?2 WHERE id = ?1")
        .bind(id)
        .bind(pinned)
        .execute(connection)
        .await?;
    Ok(())
}

/// What there is of one type.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct TypeRow {
    /// The type.
    pub backup_type: String,
    /// How many.
    pub count: i64,
    /// Bytes of their documents.
    pub size_bytes: i64,
    /// Bytes that they added to the store.
    pub stored_bytes: i64,
    /// When the newest was made.
    pub newest: i64,
    /// How many were verified and are whole.
    pub verified: i64,
    /// How many are damaged.
    pub damaged: i64,
}

/// What there is, by type.
pub async fn backups_tally(pool: &SqlitePool) -> Result<Vec<TypeRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT backup_type, count(*) AS count, sum(size_bytes) AS size_bytes, sum(stored_bytes) AS stored_bytes,
                max(at) AS newest, count(*) FILTER (WHERE verified_at IS NOT NULL AND damage IS NULL) AS verified,
                count(damage) AS damaged
         FROM backups GROUP BY backup_type ORDER BY backup_type",
    )
    .fetch_all(pool)
    .await?)
}

/// Something that was taken back.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RestoreRow {
    /// Its number.
    pub id: i64,
    /// What.
    pub backup_id: String,
    /// When, in nanoseconds since 1970.
    pub at: i64,
    /// By whose token.
    pub actor: Option<String>,
    /// By which client.
    pub client: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The backup of the state before.
    pub pre_restore: Option<String>,
}

/// Notes that a backup was taken back; its number.
pub async fn restore_add(connection: &mut Connection, row: &RestoreRow) -> Result<i64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO restores (backup_id, at, actor, client, reason, pre_restore)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&row.backup_id)
    .bind(row.at)
    .bind(&row.actor)
    .bind(&row.client)
    .bind(&row.reason)
    .bind(&row.pre_restore)
    .execute(connection)
    .await?;
    Ok(done.last_insert_rowid())
}

/// Up to `limit` restores before `before`, newest first, of one backup or of all.
pub async fn restores_before(
    pool: &SqlitePool,
    backup_id: Option<&str>,
    before: i64,
    limit: i64,
) -> Result<Vec<RestoreRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM restores WHERE (?1 IS NULL OR backup_id = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )
    .bind(backup_id)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// The newest `most` damaged backups: id, type, what is wrong.
pub async fn backups_damaged(
    pool: &SqlitePool,
    most: i64,
) -> Result<Vec<(String, String, String)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT backup_id, backup_type, damage FROM backups WHERE damage IS NOT NULL ORDER BY at DESC, id DESC LIMIT ?1",
    )
    .bind(most)
    .fetch_all(pool)
    .await?)
}
