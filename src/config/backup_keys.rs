//! Where the keys of backups come from: the environment, or files.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{BackupSection, ConfigError};
use crate::{
    app::tokens::Secret,
    store::seal::{Key, Keyring},
};

/// Flags and environment variables of `fuseboard serve` for the keys of backups.
#[derive(Clone, Debug, Default, Args)]
pub struct BackupKeyArgs {
    /// File with the key that encrypts backups at rest: 64 hexadecimal digits, or base64
    #[arg(long, env = "FUSEBOARD_BACKUP_KEY_FILE", value_name = "FILE")]
    pub backup_key_file: Option<PathBuf>,
    /// The key itself, only for the environment
    #[arg(long, env = "FUSEBOARD_BACKUP_KEY", hide = true, hide_env_values = true)]
    pub backup_key: Option<Secret>,
    /// Files with keys that backups were encrypted with before
    #[arg(long, env = "FUSEBOARD_BACKUP_PREVIOUS_KEY_FILES", value_name = "FILE", value_delimiter = ',')]
    pub backup_previous_key_files: Vec<PathBuf>,
    /// Such keys themselves, only for the environment
    #[arg(
        long,
        env = "FUSEBOARD_BACKUP_PREVIOUS_KEYS",
        hide = true,
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub backup_previous_keys: Vec<Secret>,
}

/// All keys, and what an operator should be warned of.
pub(super) fn keyring(
    args: &BackupKeyArgs,
    section: &BackupSection,
    warnings: &mut Vec<String>,
) -> Result<Keyring, ConfigError> {
    let is_set = |secret: &&Secret| !secret.expose().trim().is_empty();
    let is_named = |file: &&PathBuf| !file.as_os_str().is_empty();
    let given = args.backup_key.as_ref().filter(is_set);
    let given_file = args.backup_key_file.as_ref().filter(is_named);
    let current = match (given, given_file.or(section.encryption_key_file.as_ref())) {
        (Some(_), Some(_)) if given_file.is_some() => {
            let message = "FUSEBOARD_BACKUP_KEY and FUSEBOARD_BACKUP_KEY_FILE exclude each other";
            return Err(ConfigError(message.to_owned()));
        }
        (Some(text), _) => Some(parse("FUSEBOARD_BACKUP_KEY", text.expose())?),
        (None, Some(file)) => Some(read(file, warnings)?),
        (None, None) => None,
    };
    let mut previous = Vec::new();
    for text in args.backup_previous_keys.iter().filter(is_set) {
        previous.push(parse("FUSEBOARD_BACKUP_PREVIOUS_KEYS", text.expose())?);
    }
    let files: Vec<_> = args.backup_previous_key_files.iter().filter(is_named).collect();
    let files = if files.is_empty() { section.previous_keys_files.iter().collect() } else { files };
    for file in files {
        previous.push(read(file, warnings)?);
    }
    Ok(Keyring::new(current, previous))
}

fn parse(what: &str, text: &str) -> Result<Key, ConfigError> {
    Key::parse(text).map_err(|error| ConfigError(format!("{what}: {error}")))
}

fn read(file: &Path, warnings: &mut Vec<String>) -> Result<Key, ConfigError> {
    let what = format!("the backup key in {}", file.display());
    let text = std::fs::read(file).map_err(|error| ConfigError(format!("{what}: {error}")))?;
    if is_open(file) {
        warnings.push(format!("{what} can be read by every user of this machine: chmod 600 it"));
    }
    parse(&what, &String::from_utf8_lossy(&text))
}

/// Groups may read it: secrets that are mounted into a container are theirs.
#[cfg(unix)]
fn is_open(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const OTHER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg8=";

    fn id(text: &str) -> crate::store::seal::KeyId {
        Key::parse(text).unwrap().id()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn the_environment_wins_over_the_file_and_says_no_secret() {
        let dir = tempfile::TempDir::new().unwrap();
        let (one, two, bad) = (dir.path().join("one"), dir.path().join("two"), dir.path().join("bad"));
        for (file, text, mode) in [(&one, KEY, 0o600), (&two, OTHER, 0o644), (&bad, "hunter2", 0o640)] {
            std::fs::write(file, format!("{text}\n")).unwrap();
            std::fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        }
        let mut warnings = Vec::new();
        let section = BackupSection {
            encryption_key_file: Some(one.clone()),
            previous_keys_files: vec![two.clone()],
            ..BackupSection::default()
        };
        let ring = keyring(&BackupKeyArgs::default(), &section, &mut warnings).unwrap();
        assert_eq!(ring.ids(), [id(KEY), id(OTHER)]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(two.to_str().unwrap()), "{warnings:?}");
        let args = BackupKeyArgs {
            backup_key: Some(secret(OTHER)),
            backup_previous_keys: vec![secret(KEY)],
            ..BackupKeyArgs::default()
        };
        assert!(!format!("{args:?}").contains(&KEY[4..]));
        let ring = keyring(&args, &BackupSection::default(), &mut warnings).unwrap();
        assert_eq!(ring.ids(), [id(OTHER), id(KEY)]);
        assert_eq!(ring.current().unwrap().id(), id(OTHER));
        let empty = BackupKeyArgs { backup_key: Some(secret("")), ..BackupKeyArgs::default() };
        assert_eq!(keyring(&empty, &section, &mut warnings).unwrap().current().unwrap().id(), id(KEY));
        for (file, wanted) in [(bad, "32 bytes"), (dir.path().join("none"), "No such file")] {
            let args = BackupKeyArgs { backup_key_file: Some(file.clone()), ..BackupKeyArgs::default() };
            let error = keyring(&args, &section, &mut warnings).unwrap_err().to_string();
            assert!(error.contains(file.to_str().unwrap()) && error.contains(wanted), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let both = BackupKeyArgs { backup_key: Some(secret(KEY)), backup_key_file: Some(one), ..args };
        assert!(keyring(&both, &section, &mut warnings).is_err());
    }
}
