//! Chunks under another key than the current one are sealed anew, bit by bit beside all other work. Each transaction
//! replaces whole chunks, so whatever interrupts it, every chunk has one of the two keys.

use std::sync::Arc;

use super::Chunks;
use crate::{
    app::Board,
    store::{
        StoreError,
        seal::{KeyId, Keyring, OpenError},
        sqlite::blobs::{ChunkRow, chunk_reseal, chunks_of_key},
    },
};

/// Chunks of one transaction: bounds how long others wait for it.
const BATCH: i64 = 16;
/// Transactions of one step: bounds how long a stop waits for it.
const BATCHES: usize = 32;

/// How far it is.
#[derive(Debug)]
pub(super) struct Progress {
    /// What is to be replaced, the last one first. `None` is no key.
    outdated: Vec<Option<KeyId>>,
    /// The last chunk that was looked at.
    after: i64,
    resealed: u64,
    damaged: u64,
    /// Whether chunks whose keys are missing were told.
    is_told: bool,
}

impl Progress {
    pub(super) fn new(keys: &Keyring) -> Self {
        Self { outdated: keys.outdated(), after: 0, resealed: 0, damaged: 0, is_told: false }
    }
}

impl Board {
    /// Replaces the keys of some chunks that have another one than the current one. What a step before it left is done
    /// by the next one.
    pub async fn reseal_backups(self: &Arc<Self>) -> Result<(), StoreError> {
        self.tell_missing_keys().await?;
        for _ in 0..BATCHES {
            let next = {
                let progress = self.backups.progress.lock();
                progress.outdated.last().map(|key| (*key, progress.after))
            };
            let Some((key, after)) = next else { return Ok(()) };
            let rows =
                chunks_of_key(&self.store.readers, key.as_ref().map(KeyId::as_bytes), after, BATCH).await?;
            let Some((last, _)) = rows.last() else {
                self.key_is_done();
                continue;
            };
            let last = *last;
            let (resealed, damaged) = self.reseal(key, rows).await?;
            let mut progress = self.backups.progress.lock();
            progress.after = last;
            progress.resealed += resealed;
            progress.damaged += damaged;
        }
        Ok(())
    }

    /// Seals chunks anew; how many it did, and how many it could not.
    async fn reseal(
        self: &Arc<Self>,
        key: Option<KeyId>,
        rows: Vec<(i64, ChunkRow)>,
    ) -> Result<(u64, u64), StoreError> {
        let sealer = Arc::clone(&self.backups.sealer);
        let work = move || -> Result<_, StoreError> {
            let (mut sealed, mut damaged) = (Vec::new(), 0);
            for (id, row) in rows {
                match sealer.reseal(row)? {
                    Ok(row) => sealed.push((id, row)),
                    Err(OpenError::Damaged(damage)) => {
                        damaged += 1;
                        tracing::warn!(chunk = id, %damage, "a damaged chunk of a backup keeps its key");
                    }
                    // Only keys at hand are outdated.
                    Err(OpenError::KeyMissing(_)) => {}
                }
            }
            Ok((sealed, damaged))
        };
        let (sealed, damaged) = tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)??;
        let done = self.store.writer.write(move |connection| {
            Box::pin(async move {
                let mut done = 0;
                for (id, row) in &sealed {
                    let old = key.as_ref().map(KeyId::as_bytes);
                    done += u64::from(chunk_reseal(connection, *id, old, row).await?);
                }
                Ok(done)
            })
        });
        let done = done.await?;
        self.backups.touch();
        Ok((done, damaged))
    }

    fn key_is_done(&self) {
        let mut progress = self.backups.progress.lock();
        progress.outdated.pop();
        progress.after = 0;
        if progress.outdated.is_empty() && progress.resealed + progress.damaged > 0 {
            let current = self.backups.sealer.keys().current().map(|key| key.id().to_string());
            tracing::info!(
                chunks = progress.resealed,
                damaged = progress.damaged,
                key = current.as_deref().unwrap_or("none"),
                "all chunks of backups that can be read have the current key; previous ones are no longer needed"
            );
        }
    }

    /// Says once which keys are missing.
    async fn tell_missing_keys(&self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.backups.progress.lock().is_told, true) {
            return Ok(());
        }
        if let Err(error) = self.refresh_backups().await {
            self.backups.progress.lock().is_told = false;
            return Err(error);
        }
        let Chunks { without_key, .. } = self.backups.chunks();
        if without_key > 0 {
            let keys = self.backups.missing_keys().join(", ");
            tracing::warn!(
                chunks = without_key,
                keys,
                "chunks of backups are encrypted with keys that are not configured; they cannot be read"
            );
        }
        Ok(())
    }
}
