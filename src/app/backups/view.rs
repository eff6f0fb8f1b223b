//! A backup as clients see it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::text::hex, store::sqlite::backups::BackupRow};

/// A backup, without its documents.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BackupView {
    /// Its id: `{backup_type}_{YYYYMMDD}_{HHMMSS}_…`, the time in UTC.
    pub backup_id: String,
    /// When its request began.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// Its type.
    pub backup_type: String,
    /// Bytes of its documents.
    pub size_bytes: i64,
    /// Bytes that it added to the store; what it shares with earlier backups is not stored again.
    pub stored_bytes: i64,
    /// Whether the server compresses what it stores.
    pub compressed: bool,
    /// `{key}.json` for each document.
    pub files: Vec<String>,
    /// SHA-256 of `GET …/data`, in hexadecimal.
    pub sha256: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was last found whole; null before the first verification.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verified_at: Option<Timestamp>,
    /// Whether it may not be deleted.
    pub pinned: bool,
    /// What the last verification found; empty if nothing.
    pub errors: Vec<String>,
    /// Whose token made it, or which schedule.
    pub actor: Option<String>,
    /// Where its documents came from: `request` (a client sent them), `board` (they are the board's own) or `http` (they were
    /// fetched for a schedule).
    pub source: String,
}

impl From<&BackupRow> for BackupView {
    fn from(row: &BackupRow) -> Self {
        Self {
            backup_id: row.backup_id.clone(),
            timestamp: instant(row.at),
            backup_type: row.backup_type.clone(),
            size_bytes: row.size_bytes,
            stored_bytes: row.stored_bytes,
            compressed: row.compressed,
            files: documents(row).into_iter().map(|(key, ..)| format!("{key}.json")).collect(),
            sha256: hex(&row.sha256),
            labels: serde_json::from_str(&row.labels).unwrap_or_default(),
            verified_at: row.verified_at.map(instant),
            pinned: row.pinned,
            errors: row
                .damage
                .as_deref()
                .map(|damage| serde_json::from_str(damage).unwrap_or_else(|_| vec![damage.to_owned()]))
                .unwrap_or_default(),
            actor: row.actor.clone(),
            source: row.source.clone(),
        }
    }
}

/// Nanoseconds since 1970 as an instant.
pub(super) fn instant(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Key, offset and length of each document.
pub(super) fn documents(row: &BackupRow) -> Vec<(String, u64, u64)> {
    serde_json::from_str(&row.documents).unwrap_or_default()
}
