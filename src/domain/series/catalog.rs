//! Metrics by name.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::{
    Capacity, MetricKind, Rejection, RejectionCode,
    exposed::{claims, exposed_name},
};

/// Metrics by name, and the names under which Prometheus sees them. It is read for each sample and changes only when a
/// metric comes or goes. `F` is a [`Family`](super::Family) in whatever lock its owner likes.
///
/// Who removes a metric must make sure that nobody still has a sample for it: look a metric up and record into it under
/// one read lock, remove under the write lock.
#[derive(Debug)]
pub struct Catalog<F> {
    metrics: HashMap<Arc<str>, (MetricKind, F), RandomState>,
    names: BTreeSet<Arc<str>>,
    /// Whose the names are that Prometheus sees. The board's own are nobody's.
    claimed: HashMap<Box<str>, Option<Arc<str>>, RandomState>,
}

impl<F> Catalog<F> {
    /// No metrics. `taken` are names that Prometheus sees of others, complete: no metric may be exposed so.
    #[must_use]
    pub fn new(taken: &[&str]) -> Self {
        let claimed = taken.iter().map(|name| ((*name).into(), None)).collect();
        Self { metrics: HashMap::default(), names: BTreeSet::new(), claimed }
    }

    /// The metric of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&F> {
        self.metrics.get(name).map(|(_, family)| family)
    }

    /// The metric of that name, whatever its type; if there is none, a new one of that type.
    ///
    /// # Errors
    /// [`RejectionCode::NameConflict`] if Prometheus would see another metric's samples under the same name, and
    /// [`RejectionCode::CardinalityLimit`].
    pub fn get_or_insert(
        &mut self,
        name: &str,
        kind: MetricKind,
        capacity: &Capacity,
        make: impl FnOnce() -> F,
    ) -> Result<&F, Rejection> {
        let is_new = !self.metrics.contains_key(name);
        if is_new {
            self.check(name, kind, capacity)?;
        }
        let name: Arc<str> = name.into();
        if is_new {
            self.claim(&name, kind);
        }
        Ok(&self.metrics.entry(name).or_insert_with(|| (kind, make())).1)
    }

    /// Puts in what was saved, whatever the caps are by now.
    pub fn insert(&mut self, name: &str, kind: MetricKind, family: F) {
        self.remove(name);
        let name: Arc<str> = name.into();
        self.claim(&name, kind);
        self.metrics.insert(name, (kind, family));
    }

    /// Takes a metric out.
    pub fn remove(&mut self, name: &str) -> Option<F> {
        let (kind, family) = self.metrics.remove(name)?;
        for claim in claims(name, kind) {
            if self.claimed.get(&*claim).is_some_and(|owner| owner.as_deref() == Some(name)) {
                self.claimed.remove(&*claim);
            }
        }
        self.names.remove(name);
        Some(family)
    }

    /// The type of the metric that Prometheus sees under that name; of counters, with or without their ending.
    #[must_use]
    pub fn exposed_kind(&self, name: &str) -> Option<MetricKind> {
        let owner = self.claimed.get(name)?.as_deref()?;
        let (kind, _) = self.metrics.get(owner)?;
        let exposed = exposed_name(owner, *kind);
        (*exposed == *name || *kind == MetricKind::Counter && exposed.strip_suffix("_total") == Some(name))
            .then_some(*kind)
    }

    /// All metrics in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &F> {
        self.names.iter().filter_map(|name| self.get(name))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    fn claim(&mut self, name: &Arc<str>, kind: MetricKind) {
        for claim in claims(name, kind) {
            self.claimed.entry(claim.into()).or_insert_with(|| Some(name.clone()));
        }
        self.names.insert(name.clone());
    }

    fn check(&self, name: &str, kind: MetricKind, capacity: &Capacity) -> Result<(), Rejection> {
        let most = capacity.limits().max_metrics;
        if self.len() >= most {
            capacity.count_refused();
            let message = format!("there are {most} metrics, the most there may be");
            return Err(Rejection::new(RejectionCode::CardinalityLimit, message));
        }
        for claim in claims(name, kind) {
            if let Some(owner) = self.claimed.get(&*claim) {
                let owner =
                    owner.as_deref().map_or("the board itself".to_owned(), |name| format!("{name:?}"));
                let exposed = exposed_name(name, kind);
                let message =
                    format!("name: Prometheus would see {exposed}, and {claim} is taken by {owner}");
                return Err(Rejection::new(RejectionCode::NameConflict, message));
            }
        }
        Ok(())
    }
}
