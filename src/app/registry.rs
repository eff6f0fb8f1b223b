//! Live resources by name.

use std::{
    collections::{BTreeSet, HashMap},
    hash::BuildHasher,
    ops::Bound,
    sync::Arc,
};

use foldhash::fast::RandomState;
use parking_lot::RwLock;

use super::definitions::Resource;
use crate::domain::Name;

const SHARDS: usize = 16;

type Shard<R> = RwLock<HashMap<Name, Arc<R>, RandomState>>;

/// A map from name to live resource, plus the order of names for listing.
///
/// Look-ups take one shared lock of one shard; the resources have locks of their own.
#[derive(Debug)]
pub struct Registry<R> {
    hasher: RandomState,
    shards: [Shard<R>; SHARDS],
    names: RwLock<BTreeSet<Name>>,
}

impl<R> Default for Registry<R> {
    fn default() -> Self {
        let hasher = RandomState::default();
        Self {
            hasher,
            shards: std::array::from_fn(|_| RwLock::new(HashMap::with_hasher(RandomState::default()))),
            names: RwLock::default(),
        }
    }
}

impl<R> Registry<R> {
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the shard")]
    fn shard(&self, name: &str) -> &Shard<R> {
        &self.shards[self.hasher.hash_one(name) as usize % SHARDS]
    }

    /// The resource of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<R>> {
        self.shard(name).read().get(name).cloned()
    }

    /// Adds or replaces.
    pub fn insert(&self, name: Name, resource: Arc<R>) {
        self.names.write().insert(name.clone());
        self.shard(name.as_str()).write().insert(name, resource);
    }

    /// Puts in many at once, ordered by their names. For the start.
    pub fn fill(&self, resources: Vec<Arc<R>>)
    where
        R: Resource,
    {
        for shard in &self.shards {
            shard.write().reserve(resources.len() / SHARDS + resources.len() / SHARDS / 8);
        }
        self.names.write().append(&mut resources.iter().map(|r| r.name().clone()).collect());
        for resource in resources {
            self.shard(resource.name().as_str()).write().insert(resource.name().clone(), resource);
        }
    }

    /// Takes out.
    pub fn remove(&self, name: &str) -> Option<Arc<R>> {
        self.names.write().remove(name);
        self.shard(name).write().remove(name)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.read().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `limit` resources whose names come after `after`, in the order of names.
    #[must_use]
    pub fn page(&self, after: Option<&str>, limit: usize) -> Vec<Arc<R>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names: Vec<Name> =
            self.names.read().range::<str, _>((start, Bound::Unbounded)).take(limit).cloned().collect();
        names.iter().filter_map(|name| self.get(name.as_str())).collect()
    }

    /// All resources, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<R>> {
        let mut all = Vec::with_capacity(self.len());
        for shard in &self.shards {
            all.extend(shard.read().values().cloned());
        }
        all
    }

    /// All names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        self.names.read().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let registry = Registry::default();
        for i in 0..25 {
            let name = Name::try_from(format!("n{i:02}")).unwrap();
            registry.insert(name, Arc::new(i));
        }
        let mut seen = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = registry.page(after.as_deref(), 10);
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|r| **r));
            after = Some(format!("n{:02}", seen[seen.len() - 1]));
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
        assert_eq!(registry.remove("n03").as_deref(), Some(&3));
        assert!(registry.get("n03").is_none());
        assert_eq!(registry.len(), 24);
    }
}
