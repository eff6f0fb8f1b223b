//! The keys by which jobs ping without a token.

use std::{fmt, str::FromStr, sync::Arc};

use foldhash::HashMap;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use super::CheckCell;
use crate::{app::Board, domain::Name};

/// What keys are made from, so that they need not be stored with each check. Does not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PingSecret([u8; 32]);

impl PingSecret {
    /// From what was stored.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for PingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PingSecret(…)")
    }
}

/// Stands for a check in `/ping/{key}`: a UUID that cannot be guessed. Does not print as debug output.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PingKey(u128);

impl PingKey {
    /// Of version 8 (RFC 9562): 122 bits from the board's secret and the name.
    fn of(secret: PingSecret, name: &Name) -> Self {
        let hash = Sha256::new().chain_update(secret.0).chain_update(name.as_str()).finalize();
        let bits = u128::from_be_bytes(std::array::from_fn(|i| hash[i]));
        let (version, variant) = (0xf_u128 << 76, 0b11_u128 << 62);
        Self(bits & !version & !variant | 8 << 76 | 0b10 << 62)
    }
}

impl fmt::Display for PingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        f.write_str(&parts.join("-"))
    }
}

impl fmt::Debug for PingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PingKey(…)")
    }
}

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey;

impl FromStr for PingKey {
    type Err = NotAKey;

    fn from_str(raw: &str) -> Result<Self, NotAKey> {
        let bytes = raw.as_bytes();
        let is_hyphen = |i: usize| matches!(i, 8 | 13 | 18 | 23);
        let fits = |(i, b): (usize, &u8)| if is_hyphen(i) { *b == b'-' } else { b.is_ascii_hexdigit() };
        if bytes.len() != 36 || !bytes.iter().enumerate().all(fits) {
            return Err(NotAKey);
        }
        u128::from_str_radix(&raw.replace('-', ""), 16).map(Self).map_err(|_| NotAKey)
    }
}

/// Which key is whose.
#[derive(Debug)]
pub struct Pings {
    secret: PingSecret,
    names: RwLock<HashMap<PingKey, Name>>,
}

impl Pings {
    /// Nobody's yet.
    #[must_use]
    pub fn new(secret: PingSecret) -> Self {
        Self { secret, names: RwLock::default() }
    }

    /// The key of that name, which stands for it from here on.
    pub(super) fn add(&self, name: &Name) -> PingKey {
        let key = PingKey::of(self.secret, name);
        self.names.write().insert(key, name.clone());
        key
    }

    pub(super) fn remove(&self, key: PingKey) {
        self.names.write().remove(&key);
    }
}

impl Board {
    /// The check that a ping key stands for.
    #[must_use]
    pub fn check_by_key(&self, raw: &str) -> Option<Arc<CheckCell>> {
        let key = raw.parse::<PingKey>().ok()?;
        let name = self.pings.names.read().get(&key).cloned()?;
        self.checks.get(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_uuids_that_depend_on_secret_and_name() {
        let name = |raw: &str| Name::try_from(raw).unwrap();
        let secret = PingSecret::new([7; 32]);
        let key = PingKey::of(secret, &name("a"));
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        assert_eq!((text.len(), &text[14..15]), (36, "8"), "{text}");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
        assert_ne!(key, PingKey::of(secret, &name("b")));
        assert_ne!(key, PingKey::of(PingSecret::new([8; 32]), &name("a")));
        assert_eq!(PingKey::of(secret, &name("a")), key);
        assert!(!format!("{key:?} {secret:?}").contains(&text[..8]));
        for bad in ["", "a", &text[1..], &text.replace('-', "0"), &format!("{text}0"), &"-".repeat(36)] {
            assert_eq!(bad.parse::<PingKey>(), Err(NotAKey), "{bad}");
        }
    }
}
