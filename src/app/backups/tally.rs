//! What there is, in numbers: read from the store after a change, shown from memory.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Backups, verify::STALE_AFTER};
use crate::{
    app::{Board, text::hex},
    domain::{Time, check::Observation},
    store::{
        StoreError,
        seal::{Key, KeyId},
        sqlite::{
            backups::{TypeRow, backups_tally},
            blobs::{KeyTally, chunks_tally},
            objects::objects_count,
        },
    },
};

/// What is stored for all backups together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    /// How many.
    pub count: i64,
    /// What they hold, in bytes.
    pub plain_bytes: i64,
    /// What they take, in bytes.
    pub stored_bytes: i64,
    /// How many have another key than the current one and are being sealed anew.
    pub to_reseal: i64,
    /// How many cannot be read because their key is not configured.
    pub without_key: i64,
    /// Objects that may exist although no chunk refers to them.
    pub unreferenced: i64,
}

impl Backups {
    /// The numbers may be others now.
    pub(super) fn touch(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// What there is, by type, as of the last look.
    #[must_use]
    pub fn types(&self) -> Arc<Vec<TypeRow>> {
        Arc::clone(&self.types.lock())
    }

    /// What is stored for all backups together, as of the last look.
    #[must_use]
    pub fn chunks(&self) -> Chunks {
        *self.chunks.lock()
    }

    /// Keys of chunks that are not configured, as of the last look.
    #[must_use]
    pub fn missing_keys(&self) -> Vec<String> {
        self.missing_keys.lock().clone()
    }

    fn tell(&self, tally: &[KeyTally], unreferenced: i64) {
        let keys = self.sealer.keys();
        let current = keys.current().map(Key::id);
        let (mut chunks, mut missing) = (Chunks { unreferenced, ..Chunks::default() }, Vec::new());
        for KeyTally { key, count, plain_bytes, stored_bytes } in tally {
            chunks.count += count;
            chunks.plain_bytes += plain_bytes;
            chunks.stored_bytes += stored_bytes;
            let id = key.as_deref().and_then(|key| KeyId::try_from(key).ok());
            if key.is_some() && id.and_then(|id| keys.get(id)).is_none() {
                chunks.without_key += count;
                missing.extend(key.as_deref().map(hex));
            } else if id != current {
                chunks.to_reseal += count;
            }
        }
        *self.chunks.lock() = chunks;
        *self.missing_keys.lock() = missing;
    }

    /// Whether an observation is worth a result: it is another one, or the last one gets old.
    pub(super) fn is_news(&self, observation: &Observation, now: Time) -> bool {
        let mut told = self.told.lock();
        let often: Duration = STALE_AFTER.get() / 4;
        let is_known = told.as_ref().is_some_and(|(last, at)| last == observation && now.since(*at) < often);
        if !is_known {
            *told = Some((observation.clone(), now));
        }
        !is_known
    }
}

impl Board {
    /// Brings the numbers up to date.
    pub async fn refresh_backups(&self) -> Result<(), StoreError> {
        if !self.backups.changed.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let read = async {
            let types = backups_tally(&self.store.readers).await?;
            let chunks = chunks_tally(&self.store.readers).await?;
            Ok::<_, StoreError>((types, chunks, objects_count(&self.store.readers).await?))
        };
        match read.await {
            Ok((types, chunks, unreferenced)) => {
                *self.backups.types.lock() = Arc::new(types);
                self.backups.tell(&chunks, unreferenced);
                Ok(())
            }
            Err(error) => {
                self.backups.touch();
                Err(error)
            }
        }
    }
}
