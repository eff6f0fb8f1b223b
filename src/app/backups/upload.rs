//! Receiving documents: whatever their size, only a few chunks of them are in memory.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};

use super::{
    blob::{Incoming, OpenBlob, Written, pack, pack_unless, put},
    cutter::Cutter,
};
use crate::{
    app::{AppError, Board},
    domain::scan::{Document, ScanError, ScanLimits, Scanner},
    store::{StoreError, seal::PlainChunk},
};

const LIMITS: ScanLimits = ScanLimits { depth: 128, envelope: 64 * 1024, documents: 1024, key: 128 };
/// Chunks that are packed and written together, in bytes.
const BATCH: usize = 1 << 20;
/// Batches that are on their way at once.
const BATCHES: usize = 3;

/// Documents that are being received.
#[derive(Debug)]
pub struct Upload {
    board: Arc<Board>,
    streamed: &'static str,
    scanner: Scanner,
    cutter: Cutter,
    hash: Sha256,
    received: u64,
    blob: Option<OpenBlob>,
    batch: Vec<PlainChunk>,
    batch_bytes: usize,
    running: JoinSet<Result<u64, AppError>>,
    stored: u64,
    _slot: OwnedSemaphorePermit,
}

/// Documents that were received whole, and are on disk but for their last chunks.
#[derive(Debug)]
pub struct Received {
    /// The request without them.
    pub envelope: Vec<u8>,
    /// SHA-256 of the object that holds them.
    pub sha256: [u8; 32],
    /// Whether there were any.
    pub is_present: bool,
    pub(super) documents: Vec<Document>,
    pub(super) size: u64,
    pub(super) stored: u64,
    pub(super) blob: Option<OpenBlob>,
    pub(super) rest: Vec<PlainChunk>,
}

impl Upload {
    /// Begins; waits while too many go on. The documents are the value of the body's field `streamed`.
    pub async fn begin(board: &Arc<Board>, streamed: &'static str) -> Result<Self, AppError> {
        let slot =
            Arc::clone(&board.backups.uploads).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        Ok(Self {
            board: Arc::clone(board),
            streamed,
            scanner: Scanner::new(streamed, LIMITS),
            cutter: Cutter::default(),
            hash: Sha256::new(),
            received: 0,
            blob: None,
            batch: Vec::new(),
            batch_bytes: 0,
            running: JoinSet::new(),
            stored: 0,
            _slot: slot,
        })
    }

    /// Takes the next bytes of the body.
    pub async fn feed(&mut self, frame: &Bytes) -> Result<(), AppError> {
        let limit = self.board.backups.options.max_bytes;
        self.received = self.received.saturating_add(frame.len() as u64);
        if self.received > limit {
            return Err(AppError::TooLarge { limit });
        }
        // A decoded body may come in one large frame; what is not cut yet must stay small.
        for part in frame.chunks(BATCH / 4) {
            let (hash, cutter) = (&mut self.hash, &mut self.cutter);
            let fed = self.scanner.feed(part, &mut |bytes| {
                hash.update(bytes);
                cutter.push(bytes);
            });
            fed.map_err(|error| refused(self.streamed, &error))?;
            self.collect(false);
            if self.batch_bytes >= BATCH {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// The body is over.
    pub async fn finish(mut self) -> Result<Received, AppError> {
        self.collect(true);
        let Self { streamed, scanner, hash, mut running, mut stored, blob, batch, .. } = self;
        let scanned = scanner.finish().map_err(|error| refused(streamed, &error))?;
        while let Some(done) = running.join_next().await {
            stored += done.map_err(|_| StoreError::Closed)??;
        }
        Ok(Received {
            envelope: scanned.envelope,
            sha256: hash.finalize().into(),
            is_present: scanned.documents.is_some(),
            documents: scanned.documents.unwrap_or_default(),
            size: scanned.length,
            stored,
            blob,
            rest: batch,
        })
    }

    fn collect(&mut self, is_end: bool) {
        let (batch, bytes) = (&mut self.batch, &mut self.batch_bytes);
        self.cutter.cut(is_end, |chunk| {
            *bytes += chunk.content.len();
            batch.push(chunk);
        });
    }

    /// Sends a batch on its way; waits for an earlier one if there are too many.
    async fn send(&mut self) -> Result<(), AppError> {
        if self.running.len() >= BATCHES
            && let Some(done) = self.running.join_next().await
        {
            self.stored += done.map_err(|_| StoreError::Closed)??;
        }
        let blob = match &self.blob {
            Some(blob) => blob.id(),
            None => self.blob.insert(OpenBlob::new(&self.board).await?).id(),
        };
        let (board, batch) = (Arc::clone(&self.board), std::mem::take(&mut self.batch));
        self.batch_bytes = 0;
        self.running.spawn(async move { write(&board, blob, batch).await });
        Ok(())
    }
}

/// What the sender is told; the streamed field is named as it is in the body.
fn refused(streamed: &str, error: &ScanError) -> AppError {
    let field = match error {
        ScanError::BadJson { .. } => return AppError::BadJson(error.to_string()),
        ScanError::NotAnObject | ScanError::TooDeep { .. } | ScanError::EnvelopeTooLarge { .. } => "body",
        ScanError::StreamedNotAnObject
        | ScanError::DuplicateField
        | ScanError::InvalidKey { .. }
        | ScanError::TooManyDocuments { .. } => streamed,
        ScanError::DuplicateKey(key) => &format!("{streamed}.{key}"),
        ScanError::NotANumber { field, .. } => field,
    };
    AppError::invalid(field, error.to_string())
}

/// Packs chunks and writes them into a blob; the bytes that new ones took.
pub(super) async fn write(board: &Arc<Board>, blob: i64, chunks: Vec<PlainChunk>) -> Result<u64, AppError> {
    let packed = pack(board, chunks.clone()).await?;
    match write_packed(board, blob, packed).await? {
        Written::All { stored } => Ok(stored),
        Written::Missing { stored, hashes } => {
            let missing = chunks.into_iter().filter(|chunk| hashes.contains(&chunk.hash)).collect();
            Ok(stored + write_again(board, blob, missing).await?)
        }
    }
}

/// Writes chunks that were stored a moment ago and are not any more.
pub(super) async fn write_again(
    board: &Arc<Board>,
    blob: i64,
    missing: Vec<PlainChunk>,
) -> Result<u64, AppError> {
    // A chunk that stands in the list twice is packed once, and is there when the second one refers to it.
    let packed = pack_unless(board, missing, |_| false).await?;
    match write_packed(board, blob, packed).await? {
        Written::All { stored } => Ok(stored),
        Written::Missing { .. } => Err(StoreError::Other("a chunk vanished twice".to_owned()).into()),
    }
}

async fn write_packed(board: &Board, blob: i64, packed: Vec<Incoming>) -> Result<Written, StoreError> {
    let (writer, readable) = (&board.store.writer, board.readable().await?);
    writer
        .write(move |connection| Box::pin(async move { put(connection, blob, &packed, &readable).await }))
        .await
}
