//! Writing chunks into a blob.

use std::sync::Arc;

use super::objects::settle;
use crate::{
    app::{AppError, Board, text::hex},
    store::{
        Connection, StoreError,
        seal::{ChunkHash, PlainChunk},
        sqlite::blobs::{
            ChunkRow, Readable, blob_give_up, blob_is_open, blob_open, chunk_add, chunk_refer, chunks_known,
        },
    },
};

/// A blob that is being written. Dropped before it is kept, it is given up.
#[derive(Debug)]
pub(super) struct OpenBlob {
    board: Arc<Board>,
    id: i64,
    is_kept: bool,
}

impl OpenBlob {
    pub(super) async fn new(board: &Arc<Board>) -> Result<Self, StoreError> {
        let writer = &board.store.writer;
        let id = writer.write(|connection| Box::pin(async move { blob_open(connection).await })).await?;
        Ok(Self { board: Arc::clone(board), id, is_kept: false })
    }

    /// One that was opened within another transaction.
    pub(super) fn adopt(board: &Arc<Board>, id: i64) -> Self {
        Self { board: Arc::clone(board), id, is_kept: false }
    }

    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// Something refers to it now.
    pub(super) fn kept(mut self) {
        self.is_kept = true;
    }
}

impl Drop for OpenBlob {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let id = self.id;
        // If the writer takes nothing now, the next start drops what is open.
        drop(
            self.board.store.writer.submit(
                move |connection| Box::pin(async move { blob_give_up(connection, id).await }),
                |()| (),
            ),
        );
    }
}

/// A chunk on its way into a blob.
#[derive(Clone, Debug)]
pub(super) enum Incoming {
    /// It should be stored already.
    Known { start: i64, hash: ChunkHash },
    /// It is new.
    New(ChunkRow),
}

/// What a batch of chunks did.
#[derive(Debug)]
pub(super) enum Written {
    /// All are there; new ones took so many bytes.
    All { stored: u64 },
    /// These are not stored after all: they were deleted meanwhile. The others are there.
    Missing { stored: u64, hashes: Vec<ChunkHash> },
}

/// Packs chunks, leaving out those that are stored already. With an object store their content is there afterwards.
pub(super) async fn pack(board: &Arc<Board>, chunks: Vec<PlainChunk>) -> Result<Vec<Incoming>, AppError> {
    let names: Vec<String> = chunks.iter().map(|chunk| hex(&chunk.hash)).collect();
    let names = serde_json::to_string(&names).unwrap_or_default();
    let known = chunks_known(&board.store.readers, &names, &board.readable().await?).await?;
    pack_unless(board, chunks, move |hash| known.iter().any(|known| known[..] == hash[..])).await
}

/// Packs chunks, all of them that are not `known`.
pub(super) async fn pack_unless(
    board: &Arc<Board>,
    chunks: Vec<PlainChunk>,
    known: impl Fn(&ChunkHash) -> bool + Send + 'static,
) -> Result<Vec<Incoming>, AppError> {
    let sealer = Arc::clone(&board.backups.sealer);
    let work = move || {
        let mut seen = foldhash::HashSet::default();
        let pack = |chunk: &PlainChunk| {
            if known(&chunk.hash) || !seen.insert(chunk.hash) {
                let start = i64::try_from(chunk.start).unwrap_or(i64::MAX);
                return Ok(Incoming::Known { start, hash: chunk.hash });
            }
            sealer.seal(chunk).map(Incoming::New)
        };
        chunks.iter().map(pack).collect::<Result<_, StoreError>>()
    };
    let mut packed: Vec<_> = tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)??;
    board.ship(&mut packed).await?;
    Ok(packed)
}

/// Puts chunks into a blob, within a transaction.
pub(super) async fn put(
    connection: &mut Connection,
    blob: i64,
    chunks: &[Incoming],
    readable: &Readable,
) -> Result<Written, StoreError> {
    // What is given up may be swept already: nobody would ever find a reference of it again.
    if !blob_is_open(connection, blob).await? {
        return Err(StoreError::Other("the blob was given up".to_owned()));
    }
    let (mut stored, mut missing) = (0, Vec::new());
    for chunk in chunks {
        match chunk {
            Incoming::New(row) => {
                let is_stored = chunk_add(connection, blob, row, readable).await?;
                settle(connection, row, is_stored).await?;
                if is_stored {
                    stored += u64::try_from(row.stored).unwrap_or_default();
                }
            }
            Incoming::Known { start, hash } => {
                if !chunk_refer(connection, blob, *start, hash).await? {
                    missing.push(*hash);
                }
            }
        }
    }
    Ok(match missing {
        none if none.is_empty() => Written::All { stored },
        hashes => Written::Missing { stored, hashes },
    })
}
