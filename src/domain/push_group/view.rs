//! Groups as Pushgateway's API tells them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Groups, PUSH_FAILURE_TIME, PUSH_TIME, index::Pushed};
use crate::domain::{
    LabelSet,
    exposition::{Metric, MetricFamily, MetricType, MetricValue, float_text},
};

/// A group with all its metrics. It is written without a lock.
#[derive(Debug)]
pub struct GroupView {
    labels: LabelSet,
    series_labels: Arc<LabelSet>,
    pushed_at: i64,
    failed_at: i64,
    families: Vec<Arc<Pushed>>,
}

impl Groups {
    /// All groups in the order in which they came, about.
    #[must_use]
    pub fn views(&self) -> Vec<GroupView> {
        let view = |(key, group): (&Arc<crate::domain::GroupingKey>, &super::groups::Group)| GroupView {
            labels: key.labels().clone(),
            series_labels: group.labels.clone(),
            pushed_at: group.pushed_at,
            failed_at: group.failed_at,
            families: group
                .families
                .iter()
                .filter_map(|name| self.index.get(group.id, name))
                .cloned()
                .collect(),
        };
        self.by_key.iter().map(view).collect()
    }
}

impl Serialize for GroupView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("labels", &pairs(&self.labels))?;
        map.serialize_entry("last_push_successful", &(self.pushed_at > self.failed_at))?;
        for (name, help, nanos) in [
            (PUSH_FAILURE_TIME, "Last Unix time when changing this group failed.", self.failed_at),
            (PUSH_TIME, "Last Unix time when changing this group succeeded.", self.pushed_at),
        ] {
            #[expect(clippy::cast_precision_loss, reason = "Prometheus counts time in floats")]
            let value = MetricValue::Number(nanos as f64 / 1e9);
            let metric = Metric { labels: (*self.series_labels).clone(), value, timestamp_ms: None };
            let (help, kind) = (Some(help.into()), MetricType::Gauge);
            let family = MetricFamily { name: name.into(), help, kind, metrics: vec![metric] };
            map.serialize_entry(name, &FamilyView(&family, self.pushed_at.max(self.failed_at)))?;
        }
        for pushed in &self.families {
            map.serialize_entry(pushed.name(), &FamilyView(&pushed.family, pushed.stamp.wall))?;
        }
        map.end()
    }
}

fn pairs(labels: &LabelSet) -> BTreeMap<&str, std::borrow::Cow<'_, str>> {
    labels.iter().collect()
}

/// A family, and when it was pushed.
struct FamilyView<'a>(&'a MetricFamily, i64);

impl Serialize for FamilyView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(family, at) = self;
        let at = Timestamp::from_nanosecond(i128::from(*at)).unwrap_or(Timestamp::UNIX_EPOCH);
        let metrics: Vec<_> = family.metrics.iter().map(MetricView).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time_stamp", &at)?;
        map.serialize_entry("type", &family.kind.as_str().to_ascii_uppercase())?;
        if let Some(help) = &family.help {
            map.serialize_entry("help", help)?;
        }
        map.serialize_entry("metrics", &metrics)?;
        map.end()
    }
}

/// Numbers are text there, because JSON has neither NaN nor infinities.
struct MetricView<'a>(&'a Metric);

impl Serialize for MetricView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("labels", &pairs(&self.0.labels))?;
        let (edges, name, sum, count) = match &self.0.value {
            MetricValue::Number(value) => {
                map.serialize_entry("value", &float_text(*value))?;
                return map.end();
            }
            MetricValue::Histogram(histogram) => {
                (&histogram.buckets, "buckets", histogram.sum, histogram.count)
            }
            MetricValue::Summary(summary) => (&summary.quantiles, "quantiles", summary.sum, summary.count),
        };
        let edges: BTreeMap<_, _> =
            edges.iter().map(|(edge, value)| (float_text(*edge), float_text(*value))).collect();
        map.serialize_entry(name, &edges)?;
        map.serialize_entry("count", &float_text(count.unwrap_or(0.0)))?;
        map.serialize_entry("sum", &float_text(sum.unwrap_or(0.0)))?;
        map.end()
    }
}
