//! What there is, in numbers: read from the store after a change, shown from memory.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Backups, verify::STALE_AFTER};
use crate::{
    app::Board,
    domain::{Time, check::Observation},
    store::{
        StoreError,
        sqlite::{
            backups::{TypeRow, backups_tally},
            blobs::chunks_tally,
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
            Ok::<_, StoreError>((types, chunks_tally(&self.store.readers).await?))
        };
        match read.await {
            Ok((types, (count, plain_bytes, stored_bytes))) => {
                *self.backups.types.lock() = Arc::new(types);
                *self.backups.chunks.lock() = Chunks { count, plain_bytes, stored_bytes };
                Ok(())
            }
            Err(error) => {
                self.backups.touch();
                Err(error)
            }
        }
    }
}
