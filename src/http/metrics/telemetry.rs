//! What the server counts of itself.

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType as Kind};

use crate::{
    app::Board,
    domain::{
        LabelSet,
        exposition::{self, Histogram, MetricType, MetricValue, Writer},
    },
};

pub(super) fn write(board: &Board, out: &mut Writer<'_>) {
    board.refresh_telemetry();
    for family in board.telemetry.gather() {
        let kind = kind(&family);
        let mut metrics = family.get_metric().iter().filter_map(|metric| converted(kind, metric)).peekable();
        if metrics.peek().is_some() {
            out.head(family.name(), kind, Some(family.help()));
            metrics.for_each(|metric| out.metric(family.name(), &metric));
        }
    }
}

fn kind(family: &MetricFamily) -> MetricType {
    match family.get_field_type() {
        Kind::COUNTER => MetricType::Counter,
        Kind::GAUGE => MetricType::Gauge,
        Kind::HISTOGRAM => MetricType::Histogram,
        Kind::SUMMARY | Kind::UNTYPED => MetricType::Untyped,
    }
}

/// A route that nobody has asked for has no histogram: there are many of them.
#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
fn converted(kind: MetricType, metric: &Metric) -> Option<exposition::Metric> {
    let labels = metric.get_label();
    let value = match kind {
        MetricType::Counter => MetricValue::Number(metric.get_counter().get_value()),
        MetricType::Histogram => {
            let histogram = metric.get_histogram();
            if histogram.get_sample_count() == 0 && !labels.is_empty() {
                return None;
            }
            let buckets = histogram.get_bucket().iter();
            MetricValue::Histogram(Histogram {
                buckets: buckets.map(|b| (b.upper_bound(), b.cumulative_count() as f64)).collect(),
                sum: Some(histogram.get_sample_sum()),
                count: Some(histogram.get_sample_count() as f64),
            })
        }
        _ => MetricValue::Number(metric.get_gauge().get_value()),
    };
    let pairs = labels.iter().map(|pair: &LabelPair| (pair.name(), pair.value())).collect();
    // Our own names are distinct and valid.
    let labels = LabelSet::from_pairs(pairs).unwrap_or_default();
    Some(exposition::Metric { labels, value, timestamp_ms: None })
}
