//! Finding backups.

use jiff::Timestamp;

use super::BackupView;
use crate::{
    app::{AppError, Board},
    domain::{Name, backup::BackupId, check::Labels},
    store::{
        StoreError,
        sqlite::backups::{BackupFilter, BackupRow, backups_list},
    },
};

/// Which backups.
#[derive(Clone, Debug, Default)]
pub struct BackupQuery {
    /// Of this type.
    pub backup_type: Option<Name>,
    /// With all of these labels.
    pub labels: Labels,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only those that were verified and are whole, or only the others.
    pub verified: Option<bool>,
}

impl Board {
    /// What is known of a backup.
    pub async fn backup(&self, id: &BackupId) -> Result<BackupView, AppError> {
        Ok(BackupView::from(&self.backup_row(id).await?))
    }

    /// Up to `limit` backups, newest first, and the cursor of the next page.
    pub async fn backup_list(
        &self,
        query: &BackupQuery,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<BackupView>, Option<String>), AppError> {
        let nanos = |time: Timestamp| i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
        let filter = BackupFilter {
            backup_type: query.backup_type.as_ref().map(|name| name.as_str().to_owned()),
            labels: serde_json::to_string(&query.labels).map_err(StoreError::from)?,
            since: query.since.map(nanos),
            until: query.until.map(nanos),
            verified: query.verified,
            before: cursor.map(position).transpose()?,
        };
        let most = i64::try_from(limit).unwrap_or(1000) + 1;
        let mut rows = backups_list(&self.store.readers, &filter, most).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor_of);
        Ok((rows.iter().map(BackupView::from).collect(), next))
    }
}

fn cursor_of(row: &BackupRow) -> String {
    format!("{}.{}", row.at, row.id)
}

fn position(cursor: &str) -> Result<(i64, i64), AppError> {
    let parts = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| AppError::invalid("cursor", "is not a cursor of this list"))
}
