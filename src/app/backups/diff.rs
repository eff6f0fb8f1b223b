//! What differs between a backup and another one, or a document.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use serde_json::value::RawValue;

use super::Span;
use crate::{
    app::{AppError, Board, tokens::Scope},
    domain::{backup::BackupId, json_diff::diff},
    store::StoreError,
};

/// The most bytes of documents to compare, on each side.
pub const MAX_DIFF_BYTES: u64 = 16 << 20;
/// Comparisons at once; further ones wait. Each may need some hundred megabytes.
pub(super) const MAX_DIFFS: usize = 2;

impl Board {
    /// The JSON Patch that makes the documents of one backup those of another.
    pub async fn backup_diff(
        self: &Arc<Self>,
        from: &BackupId,
        to: &BackupId,
        scope: Option<Scope>,
    ) -> Result<Bytes, AppError> {
        let _slot = self.diff_slot().await?;
        let from = self.documents_to_compare(from, scope).await?;
        let to = self.documents_to_compare(to, scope).await?;
        compare(from, to).await
    }

    /// The JSON Patch that makes the documents of a backup those that are given: one JSON text.
    pub async fn backup_diff_with(
        self: &Arc<Self>,
        from: &BackupId,
        to: Bytes,
        scope: Option<Scope>,
    ) -> Result<Bytes, AppError> {
        let _slot = self.diff_slot().await?;
        compare(self.documents_to_compare(from, scope).await?, to).await
    }

    async fn diff_slot(&self) -> Result<tokio::sync::OwnedSemaphorePermit, StoreError> {
        Arc::clone(&self.backups.diffs).acquire_owned().await.map_err(|_| StoreError::Closed)
    }

    async fn documents_to_compare(
        self: &Arc<Self>,
        id: &BackupId,
        scope: Option<Scope>,
    ) -> Result<Bytes, AppError> {
        let row = self.backup_row(id).await?;
        if u64::try_from(row.size_bytes).is_ok_and(|size| size > MAX_DIFF_BYTES) {
            return Err(AppError::TooLargeToCompare {
                reason: format!("the documents of \"{id}\" have more than {MAX_DIFF_BYTES} bytes"),
            });
        }
        let reading = self.backup_read(id, &Span::All, scope).await?;
        let whole = reading.bytes.try_fold(BytesMut::new(), |mut whole, part| async move {
            whole.extend_from_slice(&part);
            Ok(whole)
        });
        Ok(whole.await?.freeze())
    }
}

async fn compare(from: Bytes, to: Bytes) -> Result<Bytes, AppError> {
    let work = move || {
        let parse = |text| serde_json::from_slice::<&RawValue>(text).map_err(StoreError::from);
        let patch = diff(parse(&from)?, parse(&to)?)
            .map_err(|error| AppError::TooLargeToCompare { reason: error.to_string() })?;
        Ok(serde_json::to_vec(&patch).map_err(StoreError::from)?.into())
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}
