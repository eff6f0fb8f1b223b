//! `[backup]`: how backups are kept. The seed's four keys, and what it did not have.

use std::sync::Arc;
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use crate::{
    app::backups::BackupOptions,
    domain::{
        Seconds,
        retention::{Days, RetentionPolicy},
    },
};

/// `[backup]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupSection {
    /// Whether the board backs up itself.
    pub enabled: Option<bool>,
    /// How often.
    pub interval_hours: Option<f64>,
    /// How long backups are kept whose type has no rules of its own; for ever if left out.
    pub retention_days: Option<f64>,
    /// Whether what is stored is compressed.
    pub compress: Option<bool>,
    /// zstd's level, 1 (fast) to 19 (small).
    pub compression_level: Option<i32>,
    /// The most bytes of one backup.
    pub max_bytes: Option<u64>,
    /// How many are received at once; further ones wait.
    pub max_uploads: Option<usize>,
    /// How old a verification may be before it is repeated.
    pub verify_interval_hours: Option<f64>,
    /// File with the key that encrypts what is stored from now on. Like `--backup-key-file`.
    pub encryption_key_file: Option<PathBuf>,
    /// Files with keys that encrypted what was stored before. Like `--backup-previous-key-files`.
    pub previous_keys_files: Vec<PathBuf>,
}

impl BackupSection {
    pub(super) fn options(&self) -> Result<BackupOptions, ConfigError> {
        let defaults = BackupOptions::default();
        let level = self.compression_level.or(defaults.level);
        if level.is_some_and(|level| !(1..=19).contains(&level)) {
            return wrong("compression_level must be from 1 to 19");
        }
        let max_uploads = self.max_uploads.unwrap_or(defaults.max_uploads);
        if !(1..=1000).contains(&max_uploads) {
            return wrong("max_uploads must be from 1 to 1000");
        }
        let hours = |hours: f64| Seconds::try_from(hours * 3600.0).ok().filter(|span| !span.is_zero());
        let verify_interval = match self.verify_interval_hours.map(hours) {
            Some(Some(span)) => span,
            Some(None) => return wrong("verify_interval_hours must be more than 0 and at most 87600"),
            None => defaults.verify_interval,
        };
        let retention = match self.retention_days.map(Days::try_from) {
            Some(Ok(days)) => Arc::new(RetentionPolicy::younger_than(days)),
            Some(Err(error)) => return wrong(&error.to_string()),
            None => defaults.retention,
        };
        Ok(BackupOptions {
            max_bytes: self.max_bytes.unwrap_or(defaults.max_bytes),
            level: level.filter(|_| self.compress.unwrap_or(true)),
            max_uploads,
            verify_interval,
            retention,
            ..defaults
        })
    }
}

fn wrong<T>(message: &str) -> Result<T, ConfigError> {
    Err(ConfigError(format!("[backup] {message}")))
}
