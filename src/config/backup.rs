//! `[backup]`: how backups are kept. The seed's four keys, and what it did not have.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use super::ConfigError;
use crate::{
    app::backups::BackupOptions,
    domain::{
        Seconds,
        retention::{Days, RetentionPolicy},
    },
    store::objects::{BucketPlace, Environment, Place},
};

/// `[backup]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupSection {
    /// Whether the board makes backups of what is declared on it, of type `automatic`. Default false.
    pub enabled: Option<bool>,
    /// How often. Default 24.
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
    /// Where the content goes: `sqlite` (or left out), a directory, or `s3://bucket/prefix`.
    pub store: Option<String>,
    /// URL of the service that has the bucket, unless it is Amazon's.
    pub s3_endpoint: Option<String>,
    /// The bucket's region.
    pub s3_region: Option<String>,
    /// Whether the service may be asked without TLS.
    pub s3_allow_http: Option<bool>,
    /// False if the bucket stands in the host's name.
    pub s3_path_style: Option<bool>,
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
        let automatic = match hours(self.interval_hours.unwrap_or(24.0)) {
            Some(span) => self.enabled.unwrap_or(false).then_some(span),
            None => return wrong("interval_hours must be more than 0 and at most 87600"),
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
            automatic,
            retention,
            store: self.place()?,
            ..defaults
        })
    }
}

impl BackupSection {
    fn place(&self) -> Result<Option<Place>, ConfigError> {
        let is_bucket = self.store.as_deref().is_some_and(|store| store.starts_with("s3://"));
        let about_buckets = [&self.s3_endpoint, &self.s3_region].into_iter().any(Option::is_some)
            || [self.s3_allow_http, self.s3_path_style].into_iter().any(|key| key.is_some());
        if about_buckets && !is_bucket {
            return wrong("s3_… needs a store that begins with s3://");
        }
        match self.store.as_deref() {
            None | Some("sqlite") => Ok(None),
            Some("") => wrong("store must be sqlite, a directory, or s3://bucket/prefix"),
            Some(store) => match store.split_once("://") {
                None => directory(Path::new(store)).map(Some),
                Some(("file", path)) if path.starts_with('/') => directory(Path::new(path)).map(Some),
                Some(("s3", path)) => self.bucket(path).map(Some),
                Some(_) => {
                    wrong("store must be sqlite, a directory, file:///directory, or s3://bucket/prefix")
                }
            },
        }
    }

    fn bucket(&self, path: &str) -> Result<Place, ConfigError> {
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() || bucket.contains(['?', '#', '@', ':']) {
            return wrong("store: a bucket is named as in s3://bucket/prefix");
        }
        let endpoint = self.s3_endpoint.as_deref();
        if endpoint
            .is_some_and(|endpoint| !endpoint.starts_with("http://") && !endpoint.starts_with("https://"))
        {
            return wrong("s3_endpoint must be a URL");
        }
        if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
            && self.s3_allow_http != Some(true)
        {
            return wrong("s3_endpoint is not secure; s3_allow_http = true allows that");
        }
        Ok(Place::Bucket(BucketPlace {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: self.s3_endpoint.clone(),
            region: self.s3_region.clone(),
            allow_http: self.s3_allow_http,
            virtual_hosted: self.s3_path_style == Some(false),
            environment: Environment(std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).collect()),
        }))
    }
}

/// Relative to where the server is started; another start elsewhere must not look elsewhere without saying so.
fn directory(path: &Path) -> Result<Place, ConfigError> {
    let path = std::path::absolute(path).map_err(|error| ConfigError(format!("[backup] store: {error}")))?;
    Ok(Place::Directory(path))
}

fn wrong<T>(message: &str) -> Result<T, ConfigError> {
    Err(ConfigError(format!("[backup] {message}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(keys: &str) -> Result<Option<String>, String> {
        let section: BackupSection = toml::from_str(keys).unwrap();
        section
            .options()
            .map(|options| options.store.map(|p| p.to_string()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_store_is_the_database_a_directory_or_a_bucket() {
        let here = std::path::absolute("backups/x").unwrap().display().to_string();
        for (keys, wanted) in [
            ("", None),
            ("store = 'sqlite'", None),
            ("store = '/var/x'", Some("/var/x")),
            ("store = 'file:///var/x'", Some("/var/x")),
            ("store = 'backups/x'", Some(here.as_str())),
            ("store = 's3://b'", Some("s3://b")),
            ("store = 's3://b/p/q/'", Some("s3://b/p/q")),
            (
                "store = 's3://b/p'\ns3_endpoint = 'http://[::1]:9'\ns3_allow_http = true",
                Some("s3://b/p at http://[::1]:9"),
            ),
        ] {
            assert_eq!(place(keys), Ok(wanted.map(str::to_owned)), "{keys}");
        }
        for keys in [
            "store = ''",
            "store = 'gs://b'",
            "store = 'file://x'",
            "store = 's3://'",
            "store = 's3:///p'",
            "store = 's3://b'\ns3_endpoint = 'http://localhost'",
            "store = 's3://b'\ns3_endpoint = 'localhost:9000'",
            "store = 'x'\ns3_region = 'eu-central-1'",
        ] {
            assert!(place(keys).is_err_and(|error| error.starts_with("[backup] ")), "{keys}");
        }
    }

    #[test]
    fn the_board_keeps_itself_only_when_it_is_told_to() {
        let automatic = |keys: &str| {
            let section: BackupSection = toml::from_str(keys).unwrap();
            section
                .options()
                .map(|options| options.automatic.map(f64::from))
                .map_err(|error| error.to_string())
        };
        assert_eq!(automatic(""), Ok(None));
        assert_eq!(automatic("interval_hours = 1"), Ok(None));
        assert_eq!(automatic("enabled = true"), Ok(Some(86_400.0)));
        assert_eq!(automatic("enabled = true\ninterval_hours = 0.5"), Ok(Some(1800.0)));
        for keys in ["interval_hours = 0", "enabled = true\ninterval_hours = -1"] {
            assert!(automatic(keys).is_err_and(|error| error.contains("interval_hours")), "{keys}");
        }
    }
}
