//! Labels: what to find checks by.

use std::collections::BTreeMap;

use serde::Serialize;

use super::limits::invalid;
use crate::domain::{invalid::InvalidConfig, text::is_longer};

const MOST: usize = 32;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 256;

/// At most 32 labels. A name is `[A-Za-z_][A-Za-z0-9_.-]{0,63}`, a value at most 256 characters without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Checks the labels that were given as `field`.
    pub fn parse(field: &'static str, raw: BTreeMap<String, String>) -> Result<Self, InvalidConfig> {
        if raw.len() > MOST {
            return invalid(field, format!("must be at most {MOST} labels"));
        }
        for (name, value) in &raw {
            if !is_name(name) {
                let rule = "1 to 64 characters of A-Z a-z 0-9 _ . - and starts with a letter or _";
                return invalid(field, format!("{name:?} is no label name: one is {rule}"));
            }
            if is_longer(value, LONGEST_VALUE) || value.chars().any(char::is_control) {
                let rule = format!("at most {LONGEST_VALUE} characters without control characters");
                return invalid(field, format!("the value of {name:?} must be {rule}"));
            }
        }
        Ok(Self(raw))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each label of `wanted` is here with the same value.
    #[must_use]
    pub fn contain(&self, wanted: &Self) -> bool {
        wanted.iter().all(|(name, value)| self.0.get(name).is_some_and(|own| own == value))
    }

    /// Names and values in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + use<'_> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// As on the wire.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.0.clone()
    }
}

impl std::fmt::Display for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}={value}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

fn is_name(raw: &str) -> bool {
    let is_start = |b: &u8| b.is_ascii_alphabetic() || *b == b'_';
    raw.len() <= LONGEST_NAME
        && raw.as_bytes().first().is_some_and(is_start)
        && raw.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}
