//! Metrics that clients push: recorded in memory, shown as JSON and to Prometheus, saved within a second.

mod expose;
mod push;
mod save;
mod view;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};

use super::{AppError, Board};
use crate::{
    domain::{
        LabelSet, Seconds, Time,
        exposition::MetricType,
        series::{
            Buckets, Capacity, CapacityFigures, Catalog, Family, MetricKind, RejectionCode, SeriesLimits,
        },
    },
    store::sqlite::series,
};

pub use push::{PushAnswer, RejectedSample};
pub use save::StoredMetrics;
pub(super) use save::read;
pub use view::{MetricFilter, MetricView, SeriesValue, SeriesView};

/// Names on `/metrics` that are not pushed and do not begin like the board's own: those of the process, and those that
/// Pushgateway's API has for each group.
const TAKEN: [&str; 9] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
    "push_failure_time_seconds",
    "push_time_seconds",
];

/// What new metrics and series are like. What is there stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricRules {
    /// Bounds of timers' buckets.
    pub buckets: Buckets,
    /// Bounds of single timers.
    pub buckets_of: BTreeMap<String, Buckets>,
    /// How long series live after their last sample, if it does not say so; for ever if none.
    pub ttl: Option<Seconds>,
}

/// A metric with its series.
#[derive(Debug)]
struct MetricCell {
    family: Mutex<Family>,
    /// How many of its changes are on disk.
    saved: AtomicU64,
}

/// All pushed metrics.
///
/// A sample is recorded under the read lock of the catalog and the lock of its metric, in this order; metrics come and go
/// under the write lock. So no sample goes to a metric that was removed.
#[derive(Debug)]
pub struct Metrics {
    catalog: RwLock<Catalog<Arc<MetricCell>>>,
    capacity: Capacity,
    rules: RwLock<Arc<MetricRules>>,
    accepted: AtomicU64,
    rejected: [AtomicU64; RejectionCode::ALL.len()],
    /// Held by whoever writes metrics to the disk or deletes them there.
    saving: Arc<tokio::sync::Mutex<()>>,
    /// Whether series are on disk that are over.
    has_ended: std::sync::atomic::AtomicBool,
    /// How long the last page was.
    page_bytes: AtomicUsize,
}

/// Figures of all pushed metrics.
#[derive(Clone, Debug)]
pub struct MetricFigures {
    /// Metrics.
    pub metrics: usize,
    /// Series that take room, folded and refused samples.
    pub capacity: CapacityFigures,
    /// Samples that were taken.
    pub accepted: u64,
    /// Samples that were not, by reason.
    pub rejected: Vec<(RejectionCode, u64)>,
}

impl Metrics {
    /// None yet.
    #[must_use]
    pub fn new(limits: SeriesLimits) -> Self {
        Self {
            catalog: RwLock::new(Catalog::new(&TAKEN)),
            capacity: Capacity::new(limits),
            rules: RwLock::default(),
            accepted: AtomicU64::new(0),
            rejected: std::array::from_fn(|_| AtomicU64::new(0)),
            saving: Arc::default(),
            has_ended: std::sync::atomic::AtomicBool::new(false),
            page_bytes: AtomicUsize::new(0),
        }
    }

    /// Puts rules in force for what comes.
    pub fn set_rules(&self, rules: MetricRules) {
        *self.rules.write() = Arc::new(rules);
    }

    /// The caps.
    #[must_use]
    pub fn limits(&self) -> &SeriesLimits {
        self.capacity.limits()
    }

    /// How it stands.
    #[must_use]
    pub fn figures(&self) -> MetricFigures {
        let rejected = RejectionCode::ALL.into_iter().zip(&self.rejected);
        MetricFigures {
            metrics: self.catalog.read().len(),
            capacity: self.capacity.figures(),
            accepted: self.accepted.load(Relaxed),
            rejected: rejected.map(|(code, count)| (code, count.load(Relaxed))).collect(),
        }
    }

    /// The type of the metric that Prometheus sees under that name.
    pub(super) fn exposed_kind(&self, name: &str) -> Option<MetricType> {
        self.catalog.read().exposed_kind(name).map(MetricKind::exposed)
    }

    fn get(&self, name: &str) -> Option<Arc<MetricCell>> {
        self.catalog.read().get(name).map(Arc::clone)
    }

    /// All metrics in the order of their names. None of their locks is held.
    fn all(&self) -> Vec<Arc<MetricCell>> {
        self.catalog.read().iter().map(Arc::clone).collect()
    }

    /// Forgets series that are over, and metrics without any.
    fn sweep(&self, now: Time) {
        let mut empty = Vec::new();
        for cell in self.all() {
            let mut family = cell.family.lock();
            if family.ends() <= now && family.sweep(now, &self.capacity) > 0 {
                self.has_ended.store(true, Relaxed);
            }
            if family.is_empty() {
                empty.push(family.name().to_owned());
            }
        }
        for name in empty {
            let mut catalog = self.catalog.write();
            // Somebody may have pushed to it meanwhile.
            if catalog.get(&name).is_some_and(|cell| cell.family.lock().is_empty()) {
                self.drop_from(&mut catalog, &name);
            }
        }
    }

    fn drop_from(&self, catalog: &mut Catalog<Arc<MetricCell>>, name: &str) {
        if let Some(cell) = catalog.remove(name) {
            cell.family.lock().clear(&self.capacity);
        }
    }
}

impl MetricCell {
    fn new(family: Family) -> Arc<Self> {
        Arc::new(Self { family: Mutex::new(family), saved: AtomicU64::new(0) })
    }
}

impl Board {
    /// Forgets pushed series whose time is over.
    pub fn sweep_metrics(&self) {
        self.series.sweep(self.clock.now());
    }

    /// The value of a pushed series as a threshold sees it (of a timer, what it saw last), and how long ago its last sample
    /// came.
    #[must_use]
    pub fn metric_latest(&self, metric: &str, labels: &LabelSet) -> Option<(f64, Duration)> {
        let now = self.clock.now();
        let own = self.series.get(metric).and_then(|cell| cell.family.lock().latest(labels, now));
        own.or_else(|| self.push_groups_latest(metric, labels))
    }

    /// Looks at all series of a pushed metric as [`metric_latest`](Self::metric_latest) does. Samples of it wait meanwhile.
    pub fn metric_each_latest(&self, metric: &str, mut look: impl FnMut(&LabelSet, f64, Duration)) {
        if let Some(cell) = self.series.get(metric) {
            cell.family.lock().each_latest(self.clock.now(), &mut look);
        }
        self.push_groups_each_latest(metric, look);
    }

    /// Deletes a pushed metric with all its series. Once this returns, it is gone from the disk, too.
    pub async fn metric_delete(self: &Arc<Self>, name: &str) -> Result<(), AppError> {
        // It is held until the metric is gone everywhere, whoever still waits for that.
        let saving = Arc::clone(&self.series.saving).lock_owned().await;
        if self.series.get(name).is_none() {
            return Err(AppError::NotFound { resource: "metric", name: name.to_owned() });
        }
        let (board, saved, live) = (Arc::clone(self), name.to_owned(), name.to_owned());
        let write = self.store.writer.write_then(
            move |connection| Box::pin(async move { series::metric_delete(connection, &saved).await }),
            move |()| {
                board.series.drop_from(&mut board.series.catalog.write(), &live);
                drop(saving);
            },
        );
        Ok(write.await?)
    }
}
