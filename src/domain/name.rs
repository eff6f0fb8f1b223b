//! Names of breakers, limiters, policies and checks.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A resource name: `[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$")]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// The text is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name is 1 to 128 characters of A-Z a-z 0-9 _ . : - and starts with a letter or digit")
    }
}

impl std::error::Error for InvalidName {}

impl Name {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 128;

    /// Whether `raw` is a valid name.
    #[must_use]
    pub fn is_valid(raw: &str) -> bool {
        let bytes = raw.as_bytes();
        bytes.len() <= Self::MAX_LEN
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Name {
    type Error = InvalidName;

    fn try_from(raw: &str) -> Result<Self, InvalidName> {
        if Self::is_valid(raw) { Ok(Self(raw.into())) } else { Err(InvalidName) }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(raw: String) -> Result<Self, InvalidName> {
        Self::try_from(raw.as_str())
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_the_contract_says() {
        let longest = "a".repeat(128);
        for good in ["a", "0", "kraken_api", "A.b:c-d_9", longest.as_str()] {
            assert!(Name::try_from(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(129);
        for bad in ["", "_a", "-a", ".a", ":a", "a b", "a/b", "ä", "a\n", "a\0", too_long.as_str()] {
            assert!(Name::try_from(bad).is_err(), "{bad:?}");
        }
    }
}
