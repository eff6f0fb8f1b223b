//! Reading the delimited protobuf format, which Go's client pushes with: `io.prometheus.client.MetricFamily`, each behind
//! its length. Native histograms are not read; one that has no classic buckets besides is refused.

use std::collections::HashSet;

use prost::Message;

use super::{Histogram, Limits, Metric, MetricFamily, MetricType, MetricValue, ParseError, Summary};
use crate::domain::{
    LabelSet,
    label_set::{is_label_name, is_metric_name},
};

// The messages of Prometheus' client_model, as far as they are of interest.

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct NumberMessage {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct QuantileMessage {
    #[prost(double, optional, tag = "1")]
    quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryMessage {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    quantile: Vec<QuantileMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketMessage {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "4")]
    cumulative_count_float: Option<f64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramMessage {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "4")]
    sample_count_float: Option<f64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<BucketMessage>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricMessage {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<NumberMessage>,
    #[prost(message, optional, tag = "3")]
    counter: Option<NumberMessage>,
    #[prost(message, optional, tag = "4")]
    summary: Option<SummaryMessage>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<NumberMessage>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<HistogramMessage>,
    #[prost(int64, optional, tag = "6")]
    timestamp_ms: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct FamilyMessage {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<MetricMessage>,
}

/// Reads families. In the error, the line is the number of the family.
pub fn parse_protobuf(mut bytes: &[u8], limits: &Limits) -> Result<Vec<MetricFamily>, ParseError> {
    let (mut families, mut names, mut samples) = (Vec::new(), HashSet::new(), 0);
    while !bytes.is_empty() {
        let line = families.len() + 1;
        let wrong = |message: String| ParseError { line, message };
        let message = FamilyMessage::decode_length_delimited(&mut bytes).map_err(|e| wrong(e.to_string()))?;
        samples += message.metric.len();
        if samples > limits.samples {
            return Err(wrong(format!("more than {} samples", limits.samples)));
        }
        let family = family(message, limits).map_err(wrong)?;
        if !names.insert(family.name.clone()) {
            return Err(wrong(format!("the metric {:?} came before", family.name)));
        }
        families.push(family);
    }
    families.retain(|family| !family.metrics.is_empty());
    Ok(families)
}

fn family(message: FamilyMessage, limits: &Limits) -> Result<MetricFamily, String> {
    let name = message.name.unwrap_or_default();
    if !is_metric_name(&name) || name.len() > limits.name_bytes {
        let short: String = name.chars().take(limits.name_bytes).collect();
        return Err(format!("invalid metric name {short:?}"));
    }
    let kind = match message.kind.unwrap_or_default() {
        0 => MetricType::Counter,
        1 => MetricType::Gauge,
        2 => MetricType::Summary,
        3 => MetricType::Untyped,
        4 => MetricType::Histogram,
        5 => return Err(format!("{name}: gauge histograms are not taken")),
        other => return Err(format!("{name}: unknown metric type {other}")),
    };
    let help = message.help.filter(|help| !help.is_empty()).map(Into::into);
    let metrics = message.metric.into_iter().map(|message| metric(message, kind, limits));
    let metrics: Vec<Metric> =
        metrics.collect::<Result<_, _>>().map_err(|error| format!("{name}: {error}"))?;
    let mut seen = HashSet::new();
    if let Some(twice) = metrics.iter().find(|metric| !seen.insert(metric.labels.as_str())) {
        return Err(format!("{name}{:?}: the same sample came before", twice.labels));
    }
    drop(seen);
    Ok(MetricFamily { name: name.into(), help, kind, metrics })
}

fn metric(message: MetricMessage, kind: MetricType, limits: &Limits) -> Result<Metric, String> {
    if message.label.len() > limits.labels {
        return Err(format!("more than {} labels", limits.labels));
    }
    let edge = match kind {
        MetricType::Histogram => "le",
        MetricType::Summary => "quantile",
        _ => "",
    };
    let mut pairs = Vec::with_capacity(message.label.len());
    for LabelPair { name, value } in message.label {
        let name = name.unwrap_or_default();
        if !is_label_name(&name) || name == "__name__" || name == edge || name.len() > limits.name_bytes {
            return Err(format!("invalid label name {:?}", name.chars().take(64).collect::<String>()));
        }
        let value = value.unwrap_or_default();
        if value.len() > limits.line_bytes {
            return Err(format!("the value of label {name} is longer than {} bytes", limits.line_bytes));
        }
        pairs.push((name, value));
    }
    let labels = LabelSet::from_pairs(pairs).map_err(|name| format!("the label {name:?} comes twice"))?;
    let number = |message: Option<NumberMessage>| message.map(|message| message.value.unwrap_or_default());
    let value = match kind {
        MetricType::Counter => number(message.counter).map(MetricValue::Number),
        MetricType::Gauge => number(message.gauge).map(MetricValue::Number),
        MetricType::Untyped => number(message.untyped).map(MetricValue::Number),
        MetricType::Histogram => message.histogram.map(histogram).transpose()?.map(MetricValue::Histogram),
        MetricType::Summary => message.summary.map(summary).transpose()?.map(MetricValue::Summary),
    };
    let value = value.ok_or_else(|| format!("a metric has no {}", kind.as_str()))?;
    Ok(Metric { labels, value, timestamp_ms: message.timestamp_ms })
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
fn histogram(message: HistogramMessage) -> Result<Histogram, String> {
    if message.bucket.is_empty() && message.schema.is_some() {
        return Err("native histograms are not taken, add classic buckets".to_owned());
    }
    let count = |float: Option<f64>, whole: Option<u64>| match float {
        Some(float) if float > 0.0 => float,
        _ => whole.unwrap_or_default() as f64,
    };
    let bucket = |bucket: BucketMessage| {
        let bound = bucket.upper_bound.unwrap_or_default();
        (bound, count(bucket.cumulative_count_float, bucket.cumulative_count))
    };
    let total = count(message.sample_count_float, message.sample_count);
    let buckets = edges(message.bucket.into_iter().map(bucket).collect(), "bounds")?;
    Ok(Histogram { buckets, sum: Some(message.sample_sum.unwrap_or_default()), count: Some(total) })
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
fn summary(message: SummaryMessage) -> Result<Summary, String> {
    let quantile =
        |message: QuantileMessage| (message.quantile.unwrap_or_default(), message.value.unwrap_or_default());
    let quantiles = edges(message.quantile.into_iter().map(quantile).collect(), "quantiles")?;
    let (sum, count) = (message.sample_sum.unwrap_or_default(), message.sample_count.unwrap_or_default());
    Ok(Summary { quantiles, sum: Some(sum), count: Some(count as f64) })
}

/// Each once, and a number.
fn edges(edges: Vec<(f64, f64)>, what: &str) -> Result<Vec<(f64, f64)>, String> {
    let mut bits: Vec<u64> = edges.iter().map(|(edge, _)| (edge + 0.0).to_bits()).collect();
    bits.sort_unstable();
    let twice = bits.windows(2).any(|pair| pair[0] == pair[1]);
    if twice || edges.len() > super::family::MAX_EDGES || edges.iter().any(|(edge, _)| edge.is_nan()) {
        return Err(format!("{what} must be numbers, each once, at most {}", super::family::MAX_EDGES));
    }
    Ok(edges)
}
