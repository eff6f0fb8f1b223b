//! Names, and ids of backups.

use fuseboard::domain::{Name, backup::BackupId};

/// A name is taken if it is what the description of the API says, wherever it is read; so is an id, which begins with a name.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let described = (1..=128).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c));
    let name = Name::try_from(text);
    assert_eq!(name.is_ok(), described, "{text:?}");
    let json = serde_json::to_string(text).expect("a text can be written");
    assert_eq!(serde_json::from_str::<Name>(&json).ok(), name.as_ref().ok().cloned());
    if let Ok(name) = name {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(id) = BackupId::try_from(text) {
        assert_eq!(id.as_str(), text);
        let mut parts = text.rsplitn(4, '_');
        assert!(parts.nth(3).is_some_and(Name::is_valid), "{text:?}");
    }
}
