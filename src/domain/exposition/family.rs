//! A family while it is parsed.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Histogram, Metric, MetricFamily, MetricType, MetricValue, Summary};
use crate::domain::LabelSet;

/// The most buckets or quantiles of one series: what is searched for each of them.
pub(super) const MAX_EDGES: usize = 1000;

const TWICE: &str = "the same sample came before";

/// Which number of a histogram or summary a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The name of the family itself.
    Whole,
    Bucket,
    Sum,
    Count,
}

/// One line, without its name.
pub(super) struct Sample {
    pub(super) part: Part,
    /// Without `edge`.
    pub(super) labels: LabelSet,
    /// `le` of a histogram, `quantile` of a summary.
    pub(super) edge: Option<f64>,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: Box<str>,
    pub(super) help: Option<Box<str>>,
    pub(super) kind: Option<MetricType>,
    metrics: Vec<Metric>,
    by_labels: HashMap<LabelSet, usize, RandomState>,
}

impl Draft {
    pub(super) fn new(name: &str) -> Self {
        let by_labels = HashMap::default();
        Self { name: name.into(), help: None, kind: None, metrics: Vec::new(), by_labels }
    }

    pub(super) fn finish(self) -> Option<MetricFamily> {
        let kind = self.kind.unwrap_or(MetricType::Untyped);
        let family = MetricFamily { name: self.name, help: self.help, kind, metrics: self.metrics };
        (!family.metrics.is_empty()).then_some(family)
    }

    /// The label that is not one of the series but tells the parts of it apart.
    pub(super) fn edge_label(&self) -> Option<&'static str> {
        match self.kind? {
            MetricType::Histogram => Some("le"),
            MetricType::Summary => Some("quantile"),
            MetricType::Counter | MetricType::Gauge | MetricType::Untyped => None,
        }
    }

    /// Puts a sample in; `Err` is what is wrong with it.
    pub(super) fn add(&mut self, sample: Sample) -> Result<(), String> {
        let Sample { part, labels, edge, value, timestamp_ms } = sample;
        let known = self.by_labels.get(&labels).copied();
        let number = known.unwrap_or(self.metrics.len());
        if known.is_none() {
            self.by_labels.insert(labels.clone(), number);
            self.metrics.push(Metric { labels, value: self.no_numbers(value), timestamp_ms });
        }
        let metric = &mut self.metrics[number];
        metric.timestamp_ms = timestamp_ms;
        match &mut metric.value {
            MetricValue::Number(_) if known.is_some() => Err(TWICE.to_owned()),
            MetricValue::Number(_) => Ok(()),
            MetricValue::Histogram(histogram) => match part {
                Part::Bucket => add_bucket(&mut histogram.buckets, edge, value),
                Part::Sum => set(&mut histogram.sum, edge, value),
                Part::Count => set(&mut histogram.count, edge, counted(value)?),
                Part::Whole => Err("a histogram has only _bucket, _sum and _count".to_owned()),
            },
            MetricValue::Summary(summary) => match part {
                Part::Sum => set(&mut summary.sum, edge, value),
                Part::Count => set(&mut summary.count, edge, counted(value)?),
                Part::Whole | Part::Bucket => add_edge(&mut summary.quantiles, "quantile", edge, value),
            },
        }
    }

    fn no_numbers(&self, value: f64) -> MetricValue {
        match self.kind {
            Some(MetricType::Histogram) => MetricValue::Histogram(Histogram::default()),
            Some(MetricType::Summary) => MetricValue::Summary(Summary::default()),
            _ => MetricValue::Number(value),
        }
    }
}

fn set(slot: &mut Option<f64>, edge: Option<f64>, value: f64) -> Result<(), String> {
    if edge.is_some() {
        return Err("le and quantile have no place in a _sum or _count".to_owned());
    }
    if slot.replace(value).is_some() { Err(TWICE.to_owned()) } else { Ok(()) }
}

fn counted(value: f64) -> Result<f64, String> {
    if value >= 0.0 { Ok(value) } else { Err(format!("a count must not be {value}")) }
}

fn add_bucket(buckets: &mut Vec<(f64, f64)>, edge: Option<f64>, value: f64) -> Result<(), String> {
    add_edge(buckets, "le", edge, counted(value)?)
}

fn add_edge(edges: &mut Vec<(f64, f64)>, label: &str, edge: Option<f64>, value: f64) -> Result<(), String> {
    let Some(edge) = edge.filter(|edge| !edge.is_nan()) else {
        return Err(format!("the label {label} is missing, or NaN"));
    };
    if edges.iter().any(|(known, _)| known.total_cmp(&edge).is_eq()) {
        return Err(TWICE.to_owned());
    }
    // The writer adds the last one where it is missing.
    if edges.len() >= MAX_EDGES && edge != f64::INFINITY {
        return Err(format!("more than {MAX_EDGES} values of {label}"));
    }
    edges.push((edge, value));
    Ok(())
}
