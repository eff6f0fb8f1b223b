//! What was pushed, with the labels of its group. All that needs no lock is done here.

use std::hash::BuildHasher;

use foldhash::{HashSet, fast::RandomState};

use super::{INSTANCE, PUSH_FAILURE_TIME, PUSH_TIME, PushRefusal, index::Pushed};
use crate::domain::{
    GroupingKey, LabelSet,
    exposition::{Histogram, Metric, MetricFamily, MetricType, MetricValue},
};

/// What the board's own metrics begin with.
const RESERVED: &str = "fuseboard_";
/// About what a series takes besides its labels.
const SERIES_BYTES: usize = 128;
/// About what a family takes besides its series.
pub(super) const FAMILY_BYTES: usize = 256;

/// The families of a push, ready to be kept.
#[derive(Debug)]
pub struct Body {
    pub(super) families: Vec<Pushed>,
    /// Labels of the group, as its series have them.
    pub(super) labels: LabelSet,
}

impl Body {
    /// Gives families the labels of their group, which win; `instance` is empty if neither has it, so that Prometheus
    /// does not put that of the board in its place.
    pub fn new(
        families: Vec<MetricFamily>,
        key: &GroupingKey,
        hasher: &RandomState,
    ) -> Result<Self, PushRefusal> {
        let labels = series_labels(key.labels());
        Self::relabelled(families, key.labels(), labels, hasher)
    }

    /// The same for a group that is summed: no series has an `instance` of its own.
    pub fn without_instances(
        families: Vec<MetricFamily>,
        key: &GroupingKey,
        hasher: &RandomState,
    ) -> Result<Self, PushRefusal> {
        let labels = series_labels(key.labels());
        Self::relabelled(families, &labels.clone(), labels, hasher)
    }

    /// `on_top` are those that win where a series has an instance.
    fn relabelled(
        families: Vec<MetricFamily>,
        on_top: &LabelSet,
        labels: LabelSet,
        hasher: &RandomState,
    ) -> Result<Self, PushRefusal> {
        let own = |family: &MetricFamily| !matches!(&*family.name, PUSH_TIME | PUSH_FAILURE_TIME);
        let families = families.into_iter().filter(own);
        let families =
            families.map(|family| relabelled(family, on_top, &labels, hasher)).collect::<Result<_, _>>()?;
        Ok(Self { families, labels })
    }

    /// No metrics, for a group that has only been pushed to.
    #[must_use]
    pub fn empty(key: &GroupingKey) -> Self {
        Self { families: Vec::new(), labels: series_labels(key.labels()) }
    }
}

/// Labels of a group's series that have none themselves.
pub(super) fn series_labels(group: &LabelSet) -> LabelSet {
    if group.get(INSTANCE).is_some() {
        return group.clone();
    }
    // The name is one, and comes once.
    let none = LabelSet::from_pairs(vec![(INSTANCE, "")]).unwrap_or_default();
    none.overlaid(group)
}

fn relabelled(
    mut family: MetricFamily,
    on_top: &LabelSet,
    labels: &LabelSet,
    hasher: &RandomState,
) -> Result<Pushed, PushRefusal> {
    if family.name.starts_with(RESERVED) {
        return Err(PushRefusal::Reserved(family.name));
    }
    if let Some(label) = edge_label(family.kind)
        && on_top.get(label).is_some()
    {
        return Err(PushRefusal::EdgeLabel { name: family.name, label });
    }
    for metric in &mut family.metrics {
        if metric.timestamp_ms.is_some() {
            return Err(PushRefusal::Timestamp(family.name));
        }
        if let MetricValue::Histogram(histogram) = &mut metric.value {
            close(histogram);
        }
        metric.labels = if metric.labels.is_empty() {
            labels.clone()
        } else if metric.labels.get(INSTANCE).is_some() {
            metric.labels.overlaid(on_top)
        } else {
            metric.labels.overlaid(labels)
        };
    }
    let hashes: Vec<u64> = family.metrics.iter().map(|metric| identity(&metric.labels, hasher)).collect();
    if let Some(twice) = first_twice(&hashes) {
        return Err(PushRefusal::Twice(series_name(&family.name, &family.metrics[twice].labels)));
    }
    let bytes = FAMILY_BYTES + family.name.len() + family.metrics.iter().map(weight).sum::<usize>();
    Ok(Pushed::new(family, hashes, bytes))
}

/// Both formats ask for buckets in the order of their bounds, the last of which holds all there is.
fn close(histogram: &mut Histogram) {
    let buckets = &mut histogram.buckets;
    if !buckets.is_sorted_by(|a, b| a.0 <= b.0) {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    if buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY) {
        return;
    }
    let most = buckets.iter().map(|(_, count)| *count).reduce(f64::max);
    if let Some(count) = histogram.count.or(most) {
        buckets.push((f64::INFINITY, count));
    }
}

fn edge_label(kind: MetricType) -> Option<&'static str> {
    match kind {
        MetricType::Histogram => Some("le"),
        MetricType::Summary => Some("quantile"),
        MetricType::Counter | MetricType::Gauge | MetricType::Untyped => None,
    }
}

/// What tells series apart: an empty label is none, as in Prometheus.
pub(super) fn identity(labels: &LabelSet, hasher: &RandomState) -> u64 {
    if labels.as_str().contains("=\"\"") {
        hasher.hash_one(without_empty(labels).as_str())
    } else {
        hasher.hash_one(labels.as_str())
    }
}

/// The labels as Prometheus stores them.
pub(super) fn without_empty(labels: &LabelSet) -> LabelSet {
    // Names of a set are in order and come once.
    let pairs = labels.iter().filter(|(_, value)| !value.is_empty()).collect();
    LabelSet::from_pairs(pairs).unwrap_or_default()
}

fn first_twice(hashes: &[u64]) -> Option<usize> {
    if hashes.len() < 2 {
        return None;
    }
    let mut seen = HashSet::default();
    hashes.iter().position(|hash| !seen.insert(*hash))
}

/// A series as people write it.
pub(super) fn series_name(name: &str, labels: &LabelSet) -> Box<str> {
    format!("{name}{labels:?}").into()
}

/// About how many bytes a series takes.
pub(super) fn weight(metric: &Metric) -> usize {
    let edges = match &metric.value {
        MetricValue::Number(_) => 0,
        MetricValue::Histogram(histogram) => histogram.buckets.len(),
        MetricValue::Summary(summary) => summary.quantiles.len(),
    };
    SERIES_BYTES + metric.labels.as_str().len() + edges * 16
}
