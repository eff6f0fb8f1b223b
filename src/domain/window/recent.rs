//! Which clients were seen lately.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Most clients that are told apart; at least as many as `min_reporters` may ask for.
pub(crate) const MAX_CLIENTS: usize = 1024;

/// Clients by hash, each with the mark (call number or second) at which it was seen last.
///
/// Only the latest sight of a client decides whether it is in the window, and of too many clients the
/// ones seen last stay the longest. So the count up to [`MAX_CLIENTS`] is exact in bounded memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(HashMap<u64, i64, Mixed>);

impl Recent {
    /// Sees `client` at `mark`; marks before `oldest` have left the window.
    pub(super) fn touch(&mut self, client: u64, mark: i64, oldest: i64) {
        if let Some(seen) = self.0.get_mut(&client) {
            *seen = mark;
            return;
        }
        if self.0.len() >= MAX_CLIENTS && self.count(oldest) >= MAX_CLIENTS {
            let stalest = self.0.iter().map(|(client, mark)| (*mark, *client)).min();
            if let Some((_, gone)) = stalest {
                self.0.remove(&gone);
            }
        }
        self.0.insert(client, mark);
    }

    /// How many clients were seen at `oldest` or later; forgets the others.
    pub(super) fn count(&mut self, oldest: i64) -> usize {
        self.0.retain(|_, mark| *mark >= oldest);
        self.0.len()
    }

    pub(super) fn shift(&mut self, by: i64) {
        for mark in self.0.values_mut() {
            *mark = mark.saturating_add(by);
        }
    }

    pub(super) fn to_sorted(&self) -> Vec<(u64, i64)> {
        let mut all: Vec<_> = self.0.iter().map(|(client, mark)| (*client, *mark)).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn from_saved(saved: Vec<(u64, i64)>) -> Self {
        Self(saved.into_iter().take(MAX_CLIENTS).collect())
    }
}

/// Hashing of keys that are hashes already.
pub(crate) type Mixed = BuildHasherDefault<Mixer>;

/// One multiplication, so that the high bits, which the table looks at first, depend on all others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = (self.0.rotate_left(5) ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
