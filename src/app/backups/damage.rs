//! Which chunks are damaged. What a client sends again must not be taken for stored because a damaged copy is there.

use std::sync::Arc;

use crate::{
    app::{Board, text::hex},
    store::{
        StoreError,
        seal::OpenError,
        sqlite::{
            backups::BackupRow,
            blobs::{chunk_starts, chunks_get},
            damaged::chunks_damaged,
        },
    },
};

/// Chunks that are looked at together.
const BATCH: usize = 16;

impl Board {
    /// Looks at every chunk of a backup, past the first damaged one as well, and stores which are damaged: they do not
    /// count as stored, so that their content mends all backups that share it when it comes again.
    pub(super) async fn note_damaged_chunks(&self, row: &BackupRow) -> Result<(), StoreError> {
        let starts = chunk_starts(&self.store.readers, row.blob, 0, row.size_bytes).await?;
        let mut damaged = Vec::new();
        for part in starts.chunks(BATCH) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let rows = self.fetch(chunks_get(&self.store.readers, row.blob, *first, *last).await?).await?;
            let sealer = Arc::clone(&self.backups.sealer);
            let look = move || -> Vec<String> {
                let bad = rows.into_iter().filter_map(|row| {
                    let name = hex(&row.hash);
                    matches!(sealer.open(row), Err(OpenError::Damaged(_))).then_some(name)
                });
                bad.collect()
            };
            damaged.extend(tokio::task::spawn_blocking(look).await.map_err(|_| StoreError::Closed)?);
        }
        if damaged.is_empty() {
            return Ok(());
        }
        let damaged = serde_json::to_string(&damaged)?;
        let note = self
            .store
            .writer
            .write(move |connection| Box::pin(async move { chunks_damaged(connection, &damaged).await }));
        note.await
    }
}
