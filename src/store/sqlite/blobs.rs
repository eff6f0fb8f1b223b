//! Blobs and the chunks that they share.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// A chunk as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ChunkRow {
    /// Where its bytes begin in the blob.
    pub start: i64,
    /// BLAKE3 of the plain content.
    pub hash: Vec<u8>,
    /// Length of the plain content.
    pub size: i64,
    /// How `content` was packed.
    pub codec: i64,
    /// Which key encrypted it.
    pub key: Option<Vec<u8>>,
    /// Length of the packed content.
    pub stored: i64,
    /// The object that has the content: `{store}/{name}`.
    pub location: Option<String>,
    /// The packed content, unless an object has it.
    pub content: Option<Vec<u8>>,
}

/// Which chunks can be read. Others, and damaged ones, are as good as missing when their content comes again.
#[derive(Clone, Debug)]
pub struct Readable {
    /// Encrypted with one of these keys, a JSON array of hexadecimal texts in capitals.
    pub keys: String,
    /// If they lie in an object store, their locations begin like this; empty if there is none.
    pub store: String,
}

/// A new blob; it is open.
pub async fn blob_open(connection: &mut Connection) -> Result<i64, StoreError> {
    let done = sqlx::query("INSERT INTO blobs (state) VALUES ('open')").execute(connection).await?;
    Ok(done.last_insert_rowid())
}

/// Whether a blob is still being written.
pub async fn blob_is_open(connection: &mut Connection, blob: i64) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM blobs WHERE id = ?1 AND state = 'open')")
        .bind(blob)
        .fetch_one(connection)
        .await?)
}

/// Something refers to the blob from now on.
pub async fn blob_keep(connection: &mut Connection, blob: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE blobs SET state = 'kept' WHERE id = ?1").bind(blob).execute(connection).await?;
    Ok(())
}

/// Nobody goes on writing the blob. One that is kept stays: whoever wrote it may have gone away while it was committed.
pub async fn blob_give_up(connection: &mut Connection, blob: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE blobs SET state = 'dropped' WHERE id = ?1 AND state = 'open'")
        .bind(blob)
        .execute(connection)
        .await?;
    Ok(())
}

/// Nobody needs the blob any more.
pub async fn blob_drop(connection: &mut Connection, blob: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE blobs SET state = 'dropped' WHERE id = ?1").bind(blob).execute(connection).await?;
    Ok(())
}

/// Drops what a process before left open. Nobody can finish it any more.
pub async fn blobs_abandon(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("UPDATE blobs SET state = 'dropped' WHERE state <> 'kept'").execute(connection).await?;
    Ok(())
}

/// Blobs to sweep, oldest first.
pub async fn blobs_dropped(pool: &SqlitePool, limit: i64) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM blobs WHERE state <> 'kept' AND state = 'dropped' ORDER BY id LIMIT ?1",
    )
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// Stores a chunk unless it is there, readable and whole, and refers to it. Says whether it was stored.
pub async fn chunk_add(
    connection: &mut Connection,
    blob: i64,
    chunk: &ChunkRow,
    readable: &Readable,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO chunks (hash, size, codec, key, stored, location, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (hash) DO UPDATE SET
             size = excluded.size, codec = excluded.codec, key = excluded.key, stored = excluded.stored,
             location = excluded.location, content = excluded.content
         WHERE (chunks.key IS NOT NULL AND hex(chunks.key) NOT IN (SELECT value FROM json_each(?8)))
            OR (chunks.location IS NOT NULL AND (?9 = '' OR substr(chunks.location, 1, length(?9)) <> ?9))
            OR EXISTS (SELECT 1 FROM damaged_chunks WHERE chunk = chunks.id)",
    )
    .bind(&chunk.hash)
    .bind(chunk.size)
    .bind(chunk.codec)
    .bind(&chunk.key)
    .bind(chunk.stored)
    .bind(&chunk.location)
    .bind(&chunk.content)
    .bind(&readable.keys)
    .bind(&readable.store)
    .execute(&mut *connection)
    .await?;
    chunk_refer(connection, blob, chunk.start, &chunk.hash).await?;
    Ok(done.rows_affected() > 0)
}

/// Refers to a chunk that should be there. Says whether it is.
pub async fn chunk_refer(
    connection: &mut Connection,
    blob: i64,
    start: i64,
    hash: &[u8],
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO blob_chunks (blob, start, chunk) SELECT ?1, ?2, id FROM chunks WHERE hash = ?3
         ON CONFLICT DO UPDATE SET chunk = excluded.chunk",
    )
    .bind(blob)
    .bind(start)
    .bind(hash)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Which of these hashes (a JSON array of hexadecimal texts) are stored, readable and not known to be damaged.
pub async fn chunks_known(
    pool: &SqlitePool,
    hashes: &str,
    readable: &Readable,
) -> Result<Vec<Vec<u8>>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT hash FROM chunks
         WHERE hash IN (SELECT unhex(value) FROM json_each(?1))
           AND (key IS NULL OR hex(key) IN (SELECT value FROM json_each(?2)))
           AND (location IS NULL OR (?3 <> '' AND substr(location, 1, length(?3)) = ?3))
           AND NOT EXISTS (SELECT 1 FROM damaged_chunks WHERE chunk = chunks.id)",
    )
    .bind(hashes)
    .bind(&readable.keys)
    .bind(&readable.store)
    .fetch_all(pool)
    .await?)
}

/// Where the chunks of a blob begin that have its bytes from `from` until before `until`.
pub async fn chunk_starts(
    pool: &SqlitePool,
    blob: i64,
    from: i64,
    until: i64,
) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT start FROM blob_chunks
         WHERE blob = ?1 AND start < ?3
           AND start >= coalesce((SELECT max(start) FROM blob_chunks WHERE blob = ?1 AND start <= ?2), 0)
         ORDER BY start",
    )
    .bind(blob)
    .bind(from)
    .bind(until)
    .fetch_all(pool)
    .await?)
}

/// The chunks of a blob that begin from `first` to `last`.
pub async fn chunks_get(
    pool: &SqlitePool,
    blob: i64,
    first: i64,
    last: i64,
) -> Result<Vec<ChunkRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT b.start, c.hash, c.size, c.codec, c.key, c.stored, c.location, c.content
         FROM blob_chunks b JOIN chunks c ON c.id = b.chunk
         WHERE b.blob = ?1 AND b.start BETWEEN ?2 AND ?3 ORDER BY b.start",
    )
    .bind(blob)
    .bind(first)
    .bind(last)
    .fetch_all(pool)
    .await?)
}

/// A chunk as it is stored now; it begins nowhere.
pub async fn chunk_locate(pool: &SqlitePool, hash: &[u8]) -> Result<Option<ChunkRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT 0 AS start, hash, size, codec, key, stored, location, content FROM chunks WHERE hash = ?1",
    )
    .bind(hash)
    .fetch_optional(pool)
    .await?)
}

/// Takes up to `most` references from a dropped blob, and deletes the chunks that nothing refers to any more; the
/// bytes that they took. The blob goes with its last reference; says whether it is gone.
pub async fn blob_sweep(
    connection: &mut Connection,
    blob: i64,
    most: i64,
) -> Result<(i64, bool), StoreError> {
    let chunks: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM blob_chunks WHERE blob = ?1 AND start IN (
             SELECT start FROM blob_chunks WHERE blob = ?1 ORDER BY start LIMIT ?2) RETURNING chunk",
    )
    .bind(blob)
    .bind(most)
    .fetch_all(&mut *connection)
    .await?;
    let freed: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM chunks WHERE id IN (SELECT value FROM json_each(?1))
             AND NOT EXISTS (SELECT 1 FROM blob_chunks WHERE chunk = chunks.id) RETURNING stored",
    )
    .bind(serde_json::to_string(&chunks)?)
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM blobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM blob_chunks WHERE blob = ?1)")
        .bind(blob)
        .execute(&mut *connection)
        .await?;
    // Another sweep may have taken its last reference.
    let is_gone = sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM blobs WHERE id = ?1)")
        .bind(blob)
        .fetch_one(connection)
        .await?;
    Ok((freed.iter().sum(), is_gone))
}

/// Chunks after `after` that this key encrypted, or none, in the order of their ids.
pub async fn chunks_of_key(
    pool: &SqlitePool,
    key: Option<&[u8]>,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, ChunkRow)>, StoreError> {
    let rows: Vec<KeyedRow> = sqlx::query_as(
        "SELECT id, 0 AS start, hash, size, codec, key, stored, location, content FROM chunks
         WHERE key IS ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )
    .bind(key)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.chunk)).collect())
}

#[derive(sqlx::FromRow)]
struct KeyedRow {
    id: i64,
    #[sqlx(flatten)]
    chunk: ChunkRow,
}

/// Replaces the content of a chunk that was sealed anew. Says whether it was still as it was read: under the key `old`, at
/// the place `at`.
pub async fn chunk_reseal(
    connection: &mut Connection,
    id: i64,
    (old, at): (Option<&[u8]>, Option<&str>),
    new: &ChunkRow,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE chunks SET key = ?4, stored = ?5, location = ?6, content = ?7
         WHERE id = ?1 AND key IS ?2 AND location IS ?3",
    )
    .bind(id)
    .bind(old)
    .bind(at)
    .bind(&new.key)
    .bind(new.stored)
    .bind(&new.location)
    .bind(&new.content)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What there is of chunks that one key encrypted, or none.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct KeyTally {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// How many.
    pub count: i64,
    /// Their plain bytes.
    pub plain_bytes: i64,
    /// Their stored bytes.
    pub stored_bytes: i64,
}

/// What there is of chunks, by key.
pub async fn chunks_tally(pool: &SqlitePool) -> Result<Vec<KeyTally>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT key, count(*) AS count, sum(size) AS plain_bytes, sum(stored) AS stored_bytes
         FROM chunks GROUP BY key",
    )
    .fetch_all(pool)
    .await?)
}
