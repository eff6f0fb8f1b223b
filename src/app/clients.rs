//! Who calls: client names and their compact identities.

use std::{hash::BuildHasher, sync::Arc};

use foldhash::{HashMap, quality::FixedState};
use parking_lot::RwLock;

/// The name under which calls without a `client` are counted.
pub const ANONYMOUS: &str = "anonymous";

const SHARDS: usize = 8;
const NAMES_PER_SHARD: usize = 2048;

/// Turns client names into 64-bit identities, and back for display.
///
/// The identity is a hash under a secret seed of this board, stable over restarts. Two of a million
/// clients share one with a chance below one in ten million.
#[derive(Debug)]
pub struct Clients {
    hasher: FixedState,
    names: [RwLock<HashMap<u64, Arc<str>>>; SHARDS],
}

impl Clients {
    /// Identities under `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            names: std::array::from_fn(|_| RwLock::new(HashMap::default())),
        }
    }

    /// The identity of a client; without a name, the anonymous one.
    #[must_use]
    pub fn identify(&self, name: Option<&str>) -> u64 {
        let name = name.unwrap_or(ANONYMOUS);
        let id = self.hasher.hash_one(name);
        let shard = self.shard(id);
        if !shard.read().contains_key(&id) {
            let mut shard = shard.write();
            if shard.len() >= NAMES_PER_SHARD {
                // Names are for display only and come back with the client's next call.
                shard.clear();
            }
            shard.insert(id, name.into());
        }
        id
    }

    /// The identity of one session of a client, stable over restarts.
    #[must_use]
    pub fn sender(&self, client: Option<&str>, session: &str) -> u64 {
        self.hasher.hash_one((client.unwrap_or(ANONYMOUS), session))
    }

    /// The name behind an identity, if it has called recently.
    #[must_use]
    pub fn name_of(&self, id: u64) -> Arc<str> {
        self.shard(id).read().get(&id).cloned().unwrap_or_else(|| format!("client-{id:016x}").into())
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the shard")]
    fn shard(&self, id: u64) -> &RwLock<HashMap<u64, Arc<str>>> {
        &self.names[id as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_identities_stable() {
        let clients = Clients::new(7);
        let first = clients.identify(Some("bot-0"));
        for i in 0..100_000 {
            let _ = clients.identify(Some(&format!("bot-{i}")));
        }
        let kept: usize = clients.names.iter().map(|s| s.read().len()).sum();
        assert!(kept <= SHARDS * NAMES_PER_SHARD);
        assert_eq!(clients.identify(Some("bot-0")), first);
        assert_eq!(&*clients.name_of(first), "bot-0");
        assert_eq!(Clients::new(7).identify(Some("bot-0")), first);
        assert_eq!(clients.identify(None), clients.identify(Some(ANONYMOUS)));
    }
}
