//! Reading documents back. Every chunk is compared with its hash; what does not match is refused whole.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::view::documents;
use crate::{
    app::{AppError, Board, text::hex, tokens::Scope},
    domain::backup::{BackupId, Origin},
    store::{
        StoreError,
        seal::{Damage, KeyId, OpenError},
        sqlite::{
            backups::BackupRow,
            blobs::{chunk_starts, chunks_get},
        },
    },
};

/// Chunks that are read together.
const BATCH: usize = 16;
/// Batches that are read at once.
const BATCHES: usize = 2;
/// What is as small as this is in memory as a whole before the first byte of it is sent.
const SMALL: u64 = 2 << 20;

/// Which part of a backup.
#[derive(Clone, Debug)]
pub enum Span {
    /// The object that holds all documents.
    All,
    /// One document.
    Document(String),
}

/// Why documents cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the chunk at byte {start}: {damage}")]
    Damaged { start: i64, damage: Damage },
    #[error("the chunks at byte {0} are missing")]
    Missing(i64),
    #[error("it is encrypted with the key {0}, which is not configured")]
    KeyMissing(KeyId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// While it is there, the blob is not swept.
#[derive(Debug)]
pub(super) struct InUse {
    board: Arc<Board>,
    blob: i64,
}

impl InUse {
    pub(super) fn new(board: &Arc<Board>, blob: i64) -> Self {
        *board.backups.reading.lock().entry(blob).or_default() += 1;
        Self { board: Arc::clone(board), blob }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut reading = self.board.backups.reading.lock();
        if let Some(count) = reading.get_mut(&self.blob) {
            *count -= 1;
            if *count == 0 {
                reading.remove(&self.blob);
            }
        }
    }
}

/// Documents that are being read, found whole.
pub struct Reading {
    /// Their length in bytes.
    pub length: u64,
    /// SHA-256 of all documents, in hexadecimal.
    pub sha256: String,
    /// Their bytes.
    pub bytes: stream::BoxStream<'static, Result<Bytes, StoreError>>,
}

impl Board {
    /// Reads documents of a backup for somebody with this scope; none where no token is needed. Nothing of them is given
    /// out before all of it was found whole.
    pub async fn backup_read(
        self: &Arc<Self>,
        id: &BackupId,
        span: &Span,
        scope: Option<Scope>,
    ) -> Result<Reading, AppError> {
        let row = self.backup_row(id).await?;
        check_reader(&row, scope)?;
        // The backup may have been deleted since it was looked up, and its blob may be half gone: then chunks are
        // missing, and it is not there any more.
        let in_use = InUse::new(self, row.blob);
        let range = range_of(&row, span)?;
        let length = range.end - range.start;
        let sha256 = hex(&row.sha256);
        let found = if length <= SMALL {
            let parts: Result<Vec<Bytes>, ReadError> = self.blob_bytes(row.blob, range).try_collect().await;
            parts.map(|parts| stream::iter(parts.into_iter().map(Ok)).boxed())
        } else {
            let whole = self.blob_bytes(row.blob, range.clone()).try_for_each(|_| async { Ok(()) }).await;
            whole.map(|()| {
                let bytes = self.blob_bytes(row.blob, range);
                bytes
                    .map(move |part| {
                        let _ = &in_use;
                        part.map_err(|error| StoreError::Corrupt(error.to_string()))
                    })
                    .boxed()
            })
        };
        match found {
            Ok(bytes) => Ok(Reading { length, sha256, bytes }),
            Err(error) => Err(self.unreadable(&row, id, error).await?),
        }
    }

    /// Whether somebody with this scope may read a backup's documents: those of the board itself have secrets.
    pub async fn backup_readable(&self, id: &BackupId, scope: Option<Scope>) -> Result<(), AppError> {
        check_reader(&self.backup_row(id).await?, scope)
    }

    /// What a reader is told: that the backup is gone, if it is, else that it is damaged.
    async fn unreadable(
        self: &Arc<Self>,
        row: &BackupRow,
        id: &BackupId,
        error: ReadError,
    ) -> Result<AppError, AppError> {
        match error {
            ReadError::Store(error) => return Ok(error.into()),
            ReadError::KeyMissing(key) => return Ok(AppError::BackupKeyMissing { id: id.to_string(), key }),
            ReadError::Damaged { .. } | ReadError::Missing(_) => {}
        }
        self.backup_row(id).await?;
        if row.damage.is_none() {
            self.note_damaged_chunks(row).await?;
        }
        let errors = vec![error.to_string()];
        self.backup_damaged(row, &errors).await?;
        Ok(AppError::BackupCorrupt { id: id.to_string(), errors })
    }

    /// The bytes of a blob, each chunk compared with its hash.
    fn blob_bytes(
        self: &Arc<Self>,
        blob: i64,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + use<> {
        let board = Arc::clone(self);
        let parts = async move {
            let limit = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
            let starts =
                chunk_starts(&board.store.readers, blob, limit(range.start), limit(range.end)).await?;
            let expected = limit(range.start);
            if starts.first().is_none_or(|first| *first > expected) && range.start < range.end {
                return Err(ReadError::Missing(expected));
            }
            let mut batches = Vec::new();
            for part in starts.chunks(BATCH) {
                let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
                batches.push((*first, *last, part.len()));
            }
            let ends: Vec<i64> =
                batches.iter().skip(1).map(|(first, ..)| *first).chain([limit(range.end)]).collect();
            let work = batches.into_iter().zip(ends);
            let read = move |((first, last, count), end)| {
                let (board, range) = (Arc::clone(&board), range.clone());
                async move { board.batch(blob, first, last, count, end, &range).await }
            };
            Ok(stream::iter(work)
                .map(read)
                .buffered(BATCHES)
                .map_ok(|parts| stream::iter(parts.into_iter().map(Ok)))
                .try_flatten())
        };
        stream::once(parts).try_flatten()
    }

    /// Some chunks of a blob, cut to the range that is wanted. They must reach from `first` to `end`.
    async fn batch(
        &self,
        blob: i64,
        first: i64,
        last: i64,
        count: usize,
        end: i64,
        range: &Range<u64>,
    ) -> Result<Vec<Bytes>, ReadError> {
        let rows = chunks_get(&self.store.readers, blob, first, last).await?;
        if rows.len() != count {
            return Err(ReadError::Missing(first));
        }
        let rows = self.fetch(rows).await?;
        let sealer = Arc::clone(&self.backups.sealer);
        let range = range.clone();
        let work = move || {
            let (mut at, mut parts) = (first, Vec::with_capacity(rows.len()));
            for row in rows {
                let start = row.start;
                if start != at {
                    return Err(ReadError::Missing(at));
                }
                let plain = sealer.open(row).map_err(|error| match error {
                    OpenError::Damaged(damage) => ReadError::Damaged { start, damage },
                    OpenError::KeyMissing(key) => ReadError::KeyMissing(key),
                })?;
                at += i64::try_from(plain.len()).unwrap_or(i64::MAX);
                parts.push(cut_to(&plain.into(), u64::try_from(start).unwrap_or_default(), &range));
            }
            if at < end { Err(ReadError::Missing(at)) } else { Ok(parts) }
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
    }

    /// SHA-256 and length of a blob, or what is wrong with it.
    pub(super) async fn blob_digest(self: &Arc<Self>, row: &BackupRow) -> Result<[u8; 32], ReadError> {
        let size = u64::try_from(row.size_bytes).unwrap_or_default();
        let digest =
            self.blob_bytes(row.blob, 0..size).try_fold(Sha256::new(), |mut hash, part| async move {
                hash.update(&part);
                Ok(hash)
            });
        Ok(digest.await?.finalize().into())
    }
}

fn check_reader(row: &BackupRow, scope: Option<Scope>) -> Result<(), AppError> {
    let needed = Scope::Admin;
    match scope {
        Some(has) if has < needed && row.source == Origin::Board.as_str() => {
            Err(AppError::ScopeNeeded { id: row.backup_id.clone(), needed, has })
        }
        _ => Ok(()),
    }
}

fn range_of(row: &BackupRow, span: &Span) -> Result<Range<u64>, AppError> {
    match span {
        Span::All => Ok(0..u64::try_from(row.size_bytes).unwrap_or_default()),
        Span::Document(wanted) => documents(row)
            .into_iter()
            .find(|(key, ..)| key == wanted)
            .map(|(_, offset, length)| offset..offset + length)
            .ok_or_else(|| AppError::NotFound { resource: "document", name: wanted.clone() }),
    }
}

/// The part of a chunk that lies in the range.
fn cut_to(plain: &Bytes, start: u64, range: &Range<u64>) -> Bytes {
    let length = plain.len() as u64;
    let from = range.start.saturating_sub(start).min(length);
    let until = range.end.saturating_sub(start).min(length);
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    plain.slice(at(from)..at(until.max(from)))
}
