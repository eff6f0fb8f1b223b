//! Deleting: at once for whoever asks, and bit by bit on the disk.

use std::sync::Arc;

use super::BackupView;
use crate::{
    app::{AppError, Board},
    domain::backup::BackupId,
    store::{
        StoreError,
        sqlite::{
            backups::{backup_delete, backup_pin},
            blobs::{blob_sweep, blobs_dropped},
        },
    },
};

/// Blobs that one look finds.
const BLOBS: i64 = 100;
/// References that one transaction takes: bounds how long others wait for it.
const REFERENCES: i64 = 256;

impl Board {
    /// Deletes a backup. Its space is free a little later.
    pub async fn backup_delete(self: &Arc<Self>, id: &BackupId) -> Result<(), AppError> {
        let row = self.backup_row(id).await?;
        let board = Arc::clone(self);
        let view = BackupView::from(&row);
        let is_deleted = self
            .store
            .writer
            .write_then(
                move |connection| Box::pin(async move { backup_delete(connection, row.id).await }),
                move |is_deleted| {
                    if is_deleted {
                        board.backup_event("backup.deleted", &view);
                    }
                    is_deleted
                },
            )
            .await?;
        self.backups.touch();
        if is_deleted {
            return Ok(());
        }
        // Pinned, unless somebody else was faster.
        self.backup_row(id).await?;
        Err(AppError::Pinned(id.to_string()))
    }

    /// Protects a backup from being deleted, or no longer.
    pub async fn backup_pin(&self, id: &BackupId, pinned: bool) -> Result<BackupView, AppError> {
        let row = self.backup_row(id).await?;
        let key = row.id;
        self.store
            .writer
            .write(move |connection| Box::pin(async move { backup_pin(connection, key, pinned).await }))
            .await?;
        Ok(BackupView::from(&self.backup_row(id).await?))
    }

    /// Frees what no backup needs any more, unless somebody still reads it.
    pub async fn sweep_backups(&self) -> Result<(), StoreError> {
        for blob in blobs_dropped(&self.store.readers, BLOBS).await? {
            loop {
                if self.backups.reading.lock().contains_key(&blob) {
                    break;
                }
                let sweep = self.store.writer.write(move |connection| {
                    Box::pin(async move { blob_sweep(connection, blob, REFERENCES).await })
                });
                let (freed, is_done) = sweep.await?;
                self.telemetry.backups.freed_bytes.inc_by(u64::try_from(freed).unwrap_or_default());
                self.backups.touch();
                if is_done {
                    break;
                }
            }
        }
        Ok(())
    }
}
