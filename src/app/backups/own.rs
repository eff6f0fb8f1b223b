//! Backups that the board makes by itself: of its own document, and of what it has fetched.

use std::sync::Arc;

use bytes::Bytes;

use super::{BackupView, NewBackup, Upload};
use crate::{
    app::{AppError, Board},
    domain::{Name, backup::Origin, check::Labels},
};

/// What stands around documents in a request.
const OPEN: &[u8] = b"{\"data\":";
const CLOSE: &[u8] = b"}";
/// A request of which the documents were taken out, and in which there was nothing else.
const BARE: &[u8] = b"{\"data\":null}";

impl Board {
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
