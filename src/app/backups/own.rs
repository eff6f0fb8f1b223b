//! Backups that the board makes by itself: of its own document, and of what it has fetched.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{BackupView, Backups, NewBackup, Upload};
use crate::{
    app::{AppError, Board},
    domain::{Name, Time, backup::Origin, check::Labels},
    store::{StoreError, sqlite::backups::backup_last},
};

/// What stands around documents in a request.
const OPEN: &[u8] = b"{\"data\":";
const CLOSE: &[u8] = b"}";
/// A request of which the documents were taken out, and in which there was nothing else.
const BARE: &[u8] = b"{\"data\":null}";

/// The type of the backups that `[backup] enabled` makes, as in the seed.
const AUTOMATIC: &str = "automatic";

/// Whether it is time for the next backup. `last` is when the last one was made and for how long this process has known of
/// it. If that is in the future the clock was set back: then only the steady time counts.
fn is_due(last: Option<(i64, Duration)>, now: i64, interval: Duration) -> bool {
    let Some((at, known)) = last else { return true };
    match u64::try_from(now.saturating_sub(at)) {
        Ok(age) => Duration::from_nanos(age) >= interval,
        Err(_) => known >= interval,
    }
}

impl Board {
    /// Makes a backup of the board if it should make some and the last one is older than their interval.
    pub async fn backup_automatically(self: &Arc<Self>) -> Result<(), StoreError> {
        let Some(interval) = self.backups.options.automatic else { return Ok(()) };
        let last = backup_last(&self.store.readers, AUTOMATIC, Origin::Board.as_str()).await?;
        let last = last.map(|(id, at)| (at, self.backups.known_for(id, self.clock.now())));
        let Ok(backup_type) = Name::try_from(AUTOMATIC) else { return Ok(()) };
        if !is_due(last, self.clock.wall_nanos(), interval.get()) {
            return Ok(());
        }
        match self.backup_board(backup_type, Labels::default(), None).await {
            Ok(_) => Ok(()),
            Err(AppError::Storage(error)) => Err(error),
            Err(error) => Err(StoreError::Other(error.to_string())),
        }
    }

    /// Stores the board's own document: each of its fields is a key. When this returns it is on disk.
    pub async fn backup_board(
        self: &Arc<Self>,
        backup_type: Name,
        labels: Labels,
        actor: Option<Arc<str>>,
    ) -> Result<BackupView, AppError> {
        let at = self.clock.wall();
        let document = self.board_document().await?;
        let new = NewBackup { backup_type, labels, pinned: false, actor, at, origin: Origin::Board };
        self.backup_documents(document.pieces, new).await
    }

    /// Stores an object of documents that comes without a request around it, byte for byte.
    pub(in crate::app) async fn backup_documents(
        self: &Arc<Self>,
        pieces: Vec<Bytes>,
        new: NewBackup,
    ) -> Result<BackupView, AppError> {
        let mut upload = Upload::begin(self, "data").await?;
        let around = |text| std::iter::once(Bytes::from_static(text));
        for piece in around(OPEN).chain(pieces).chain(around(CLOSE)) {
            upload.feed(&piece).await?;
        }
        let received = upload.finish().await?;
        if received.envelope != BARE {
            return Err(AppError::invalid("data", "something follows the object"));
        }
        Ok(self.backup_create(received, new, None).await?.0)
    }
}

impl Backups {
    /// For how long this process has known that this backup is the last one of the board.
    fn known_for(&self, id: i64, now: Time) -> Duration {
        let mut last = self.last_own.lock();
        match *last {
            Some((same, since)) if same == id => now.since(since),
            _ => {
                *last = Some((id, now));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_neither_multiplies_backups_nor_ends_them() {
        const HOUR: i64 = 3_600_000_000_000;
        let (short, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        let now = 1_800_000_000_000_000_000;
        assert!(is_due(None, now, hour));
        for (at, known, due) in [
            (now, short, false),
            (now - HOUR + 1, short, false),
            (now - HOUR, short, true),
            (now - 1000 * HOUR, short, true),
            // From the future, by however much.
            (now + 1, short, false),
            (now + 1000 * HOUR, short, false),
            (now + 1000 * HOUR, hour, true),
            (i64::MAX, short, false),
        ] {
            assert_eq!(is_due(Some((at, known)), now, hour), due, "{at} {known:?}");
        }
    }
}
