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
    /// Name of the object that has the content.
    pub location: Option<String>,
    /// The packed content, unless an object has it.
    pub content: Option<Vec<u8>>,
}

/// Which chunks can be read. Others are as good as missing when their content comes again.
#[derive(Clone, Debug)]
pub struct Readable {
    /// Encrypted with one of these keys, a JSON array of hexadecimal texts in capitals.
    pub keys: String,
}

/// A chunk that was deleted.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Deleted {
    /// Bytes that it took.
    pub stored: i64,
    /// The object to delete.
    pub location: Option<String>,
}

/// A new blob; it is open.
pub async fn blob_open(connection: &mut Connection) -> Result<i64, StoreError> {
    let done = sqlx::query("INSERT INTO blobs (state) VALUES ('open')").execute(connection).await?;
    Ok(done.last_insert_rowid())
}

/// Something refers to the blob from now on.
pub async fn blob_keep(connection: &mut Connection, blob: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE blobs SET state = 'kept' WHERE id = ?1").bind(blob).execute(connection).await?;
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

/// Stores a chunk unless it is there and readable, and refers to it. Says whether it was stored.
pub async fn chunk_add(
    connection: &mut Connection,
    blob: i64,
    chunk: &ChunkRow,
    readable: &Readable,
) -> Result<bool, StoreError> {
    let stored = chunk.content.as_ref().map_or(0, Vec::len);
    let done = sqlx::query(
        "INSERT INTO chunks (hash, size, codec, key, stored, location, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (hash) DO UPDATE SET
             size = excluded.size, codec = excluded.codec, key = excluded.key, stored = excluded.stored,
             location = excluded.location, content = excluded.content
         WHERE chunks.key IS NOT NULL AND hex(chunks.key) NOT IN (SELECT value FROM json_each(?8))",
    )
    .bind(&chunk.hash)
    .bind(chunk.size)
    .bind(chunk.codec)
    .bind(&chunk.key)
    .bind(i64::try_from(stored).unwrap_or(i64::MAX))
    .bind(&chunk.location)
    .bind(&chunk.content)
    .bind(&readable.keys)
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

/// Which of these hashes (a JSON array of hexadecimal texts) are stored and readable.
pub async fn chunks_known(
    pool: &SqlitePool,
    hashes: &str,
    readable: &Readable,
) -> Result<Vec<Vec<u8>>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT hash FROM chunks
         WHERE hash IN (SELECT unhex(value) FROM json_each(?1))
           AND (key IS NULL OR hex(key) IN (SELECT value FROM json_each(?2)))",
    )
    .bind(hashes)
    .bind(&readable.keys)
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
        "SELECT b.start, c.hash, c.size, c.codec, c.key, c.location, c.content
         FROM blob_chunks b JOIN chunks c ON c.id = b.chunk
         WHERE b.blob = ?1 AND b.start BETWEEN ?2 AND ?3 ORDER BY b.start",
    )
    .bind(blob)
    .bind(first)
    .bind(last)
    .fetch_all(pool)
    .await?)
}

/// Takes up to `most` references from a dropped blob, and deletes the chunks that nothing refers to any more. The
/// blob goes with its last reference; says whether it is gone.
pub async fn blob_sweep(
    connection: &mut Connection,
    blob: i64,
    most: i64,
) -> Result<(Vec<Deleted>, bool), StoreError> {
    let chunks: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM blob_chunks WHERE blob = ?1 AND start IN (
             SELECT start FROM blob_chunks WHERE blob = ?1 ORDER BY start LIMIT ?2) RETURNING chunk",
    )
    .bind(blob)
    .bind(most)
    .fetch_all(&mut *connection)
    .await?;
    let deleted = sqlx::query_as(
        "DELETE FROM chunks WHERE id IN (SELECT value FROM json_each(?1))
             AND NOT EXISTS (SELECT 1 FROM blob_chunks WHERE chunk = chunks.id) RETURNING stored, location",
    )
    .bind(serde_json::to_string(&chunks)?)
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM blobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM blob_chunks WHERE blob = ?1)")
        .bind(blob)
        .execute(connection)
        .await?;
    // Also if somebody else has swept it meanwhile.
    Ok((deleted, i64::try_from(chunks.len()).is_ok_and(|count| count < most)))
}

/// Chunks after `after` that this key encrypted, or none, in the order of their ids.
pub async fn chunks_of_key(
    pool: &SqlitePool,
    key: Option<&[u8]>,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, ChunkRow)>, StoreError> {
    let rows: Vec<KeyedRow> = sqlx::query_as(
        "SELECT id, 0 AS start, hash, size, codec, key, location, content FROM chunks
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

/// Replaces the content of a chunk that was sealed anew. Says whether it still had the key `old`.
pub async fn chunk_reseal(
    connection: &mut Connection,
    id: i64,
    old: Option<&[u8]>,
    new: &ChunkRow,
) -> Result<bool, StoreError> {
    let done =
        sqlx::query("UPDATE chunks SET key = ?3, stored = ?4, content = ?5 WHERE id = ?1 AND key IS ?2")
            .bind(id)
            .bind(old)
            .bind(&new.key)
            .bind(new.content.as_ref().map_or(0, |content| i64::try_from(content.len()).unwrap_or(i64::MAX)))
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
