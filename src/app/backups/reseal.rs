//! Chunks under another key than the current one are sealed anew, bit by bit beside all other work. Each transaction
//! replaces whole chunks, so whatever interrupts it, every chunk has one of the two keys.

use std::sync::Arc;

use super::{Chunks, objects::settle};
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
    /// Replaces the keys of chunks that have another one than the current one: of as many as a step may take.
    pub async fn reseal_backups(self: &Arc<Self>) -> Result<(), StoreError> {
        self.tell_missing_keys().await?;
        self.reseal_some(BATCHES).await
    }

    /// Replaces the keys of so many batches of chunks. What is left then is done by the next step.
    pub async fn reseal_some(self: &Arc<Self>, batches: usize) -> Result<(), StoreError> {
        for _ in 0..batches {
            let next = {
                let progress = self.backups.progress.lock();
                progress.outdated.last().map(|key| (*key, progress.after))
            };
            let Some((key, after)) = next else { return Ok(()) };
            let rows =
                chunks_of_key(&self.store.readers, key.as_ref().map(KeyId::as_bytes), after, BATCH).await?;
            let Some((last, _)) = rows.last() else {
                self.key_is_done(key);
                continue;
            };
            let last = *last;
            let rows = self.fetch_readable(rows).await?;
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
            for (id, mut row) in rows {
                let at = row.location.take();
                match sealer.reseal(row)? {
                    Ok(row) => sealed.push((id, at, row)),
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
        let (mut sealed, damaged) =
            tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)??;
        // What lies in the database stays there.
        let moving = sealed.iter_mut().filter_map(|(_, at, row)| at.is_some().then_some(row)).collect();
        self.ship_rows(moving).await?;
        let done = self.store.writer.write(move |connection| {
            Box::pin(async move {
                let mut done = 0;
                for (id, at, row) in &sealed {
                    let old = (key.as_ref().map(KeyId::as_bytes), at.as_deref());
                    let is_stored = chunk_reseal(connection, *id, old, row).await?;
                    settle(connection, row, is_stored).await?;
                    done += u64::from(is_stored);
                }
                Ok(done)
            })
        });
        let done = done.await?;
        self.backups.touch();
        Ok((done, damaged))
    }

    /// Chunks with their content, without those that lie in an object store that is not at hand.
    async fn fetch_readable(&self, rows: Vec<(i64, ChunkRow)>) -> Result<Vec<(i64, ChunkRow)>, StoreError> {
        if rows.iter().all(|(_, row)| row.location.is_none()) {
            return Ok(rows);
        }
        let store = self.readable().await?.store;
        let is_at_hand = |at: &str| !store.is_empty() && at.starts_with(&store);
        let (ids, rows): (Vec<_>, Vec<_>) =
            rows.into_iter().filter(|(_, row)| row.location.as_deref().is_none_or(is_at_hand)).unzip();
        Ok(ids.into_iter().zip(self.fetch(rows).await?).collect())
    }

    fn key_is_done(&self, key: Option<KeyId>) {
        let mut progress = self.backups.progress.lock();
        if progress.outdated.last() != Some(&key) {
            return;
        }
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
