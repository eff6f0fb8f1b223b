//! Backups: what identifies one.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::Name;

/// The public id of a backup: `{backup_type}_{YYYYMMDD}_{HHMMSS}_{8 of 0-9a-z}`, the time in UTC. The seed's ids end with
/// the time, and collide within a second.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}_[0-9]{8}_[0-9]{6}_[0-9a-hjkmnp-tv-z]{8}$", example = "pre_session_20251218_080000_k3v9q0xa")]
pub struct BackupId(String);

/// The text is no [`BackupId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidBackupId;

impl fmt::Display for InvalidBackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a backup's id is its type, the date, the time and 8 letters or digits, with _ between them",
        )
    }
}

/// Where the documents of a backup came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client sent them.
    Request,
    /// They are the board's own document. It has secrets.
    Board,
    /// The board has fetched them from an application.
    Http,
}

impl Origin {
    /// The word for it, on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Board => "board",
            Self::Http => "http",
        }
    }
}

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TAG: usize = 8;

impl BackupId {
    /// An id of a type and time; `tag` tells apart what has the same of both.
    #[must_use]
    pub fn new(backup_type: &Name, at: Timestamp, tag: u64) -> Self {
        let at = at.to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H%M%S").to_string();
        let digit = |n: usize| {
            let index = usize::try_from(tag >> (5 * n) & 31).unwrap_or_default();
            char::from(DIGITS[index])
        };
        let tag: String = (0..TAG).map(digit).collect();
        Self(format!("{backup_type}_{at}_{tag}"))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for BackupId {
    type Error = InvalidBackupId;

    fn try_from(raw: &str) -> Result<Self, InvalidBackupId> {
        let mut parts = raw.rsplitn(4, '_');
        let mut next = || parts.next().unwrap_or_default();
        let (tag, time, date, backup_type) = (next(), next(), next(), next());
        let digits = |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
        let is_id = tag.len() == TAG
            && tag.bytes().all(|b| DIGITS.contains(&b))
            && digits(time, 6)
            && digits(date, 8)
            && Name::is_valid(backup_type);
        if is_id { Ok(Self(raw.to_owned())) } else { Err(InvalidBackupId) }
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_starts_as_the_seed_has_it_and_anything_like_a_path_is_none() {
        let name = Name::try_from("pre_session").unwrap();
        let id = BackupId::new(&name, "2025-12-18T08:00:00Z".parse().unwrap(), 0);
        assert_eq!(id.as_str(), "pre_session_20251218_080000_00000000");
        for bad in [
            "",
            "latest",
            "../etc/passwd",
            "a_20251218_080000",
            "a_20251218_080000_0000000",
            "a_20251218_080000_0000000u",
            "_20251218_080000_00000000",
            "a/b_20251218_080000_00000000",
            "a_2025121x_080000_00000000",
            "a_20251218_080000_00000000_",
        ] {
            assert_eq!(BackupId::try_from(bad), Err(InvalidBackupId), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_id_is_read_back_and_tags_tell_apart(
            name in "[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}", second in 0..4_000_000_000_i64,
            one in 0..1_u64 << 40, other in 0..1_u64 << 40,
        ) {
            let name = Name::try_from(name).unwrap();
            let at = Timestamp::from_second(second).unwrap();
            let id = BackupId::new(&name, at, one);
            prop_assert_eq!(&BackupId::try_from(id.as_str()).unwrap(), &id);
            prop_assert_eq!(id == BackupId::new(&name, at, other), one == other);
        }
    }
}
