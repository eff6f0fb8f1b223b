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

#[derive(Clone, Copy, PartialEq, Message)]
struct TimestampMessage {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct NumberMessage {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct CounterMessage {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    created: Option<TimestampMessage>,
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
    #[prost(message, optional, tag = "4")]
    created: Option<TimestampMessage>,
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
    #[prost(message, optional, tag = "15")]
    created: Option<TimestampMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricMessage {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<NumberMessage>,
    #[prost(message, optional, tag = "3")]
    counter: Option<CounterMessage>,
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
    /// Read one by one: of two bytes here there would be hundreds in memory.
    #[prost(bytes = "vec", repeated, tag = "4")]
    metric: Vec<Vec<u8>>,
}

/// Reads families. In the error, the line is the number of the family. With `births`, when series began is told as the text
/// format does it: by gauges `…_created`.
pub fn parse_protobuf(
    mut bytes: &[u8],
    limits: &Limits,
    births: bool,
) -> Result<Vec<MetricFamily>, ParseError> {
    let (mut families, mut names, mut samples) = (Vec::new(), HashSet::new(), 0);
    let mut born = Vec::new();
    while !bytes.is_empty() {
        let line = families.len() + 1;
        let wrong = |message: String| ParseError { line, message };
        let message = FamilyMessage::decode_length_delimited(&mut bytes).map_err(|e| wrong(e.to_string()))?;
        samples += message.metric.len().max(1);
        if samples > limits.samples {
            return Err(wrong(format!("more than {} samples", limits.samples)));
        }
        let (family, created) = family(message, limits).map_err(wrong)?;
        born.extend(births.then(|| births_of(&family, &created)).flatten());
        if !names.insert(family.name.clone()) {
            return Err(wrong(format!("the metric {:?} came before", family.name)));
        }
        families.push(family);
    }
    families.retain(|family| !family.metrics.is_empty());
    families.extend(born.into_iter().filter(|family| !names.contains(&family.name)));
    Ok(families)
}

impl MetricMessage {
    #[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
    fn created(&self) -> Option<f64> {
        let of_counter = || self.counter.as_ref()?.created;
        let of_histogram = || self.histogram.as_ref()?.created;
        let of_summary = || self.summary.as_ref()?.created;
        let created = of_counter().or_else(of_histogram).or_else(of_summary)?;
        Some(created.seconds as f64 + f64::from(created.nanos) / 1e9)
    }
}

/// A gauge that says when the series of a family began.
fn births_of(family: &MetricFamily, created: &[Option<f64>]) -> Option<MetricFamily> {
    let base = match family.kind {
        MetricType::Counter => family.name.strip_suffix("_total").unwrap_or(&family.name),
        MetricType::Histogram | MetricType::Summary => &family.name,
        MetricType::Gauge | MetricType::Untyped => return None,
    };
    let metric = |(metric, at): (&Metric, &Option<f64>)| {
        let value = MetricValue::Number((*at)?);
        Some(Metric { labels: metric.labels.clone(), value, timestamp_ms: metric.timestamp_ms })
    };
    let metrics: Vec<_> = family.metrics.iter().zip(created).filter_map(metric).collect();
    let name = format!("{base}_created").into();
    (!metrics.is_empty()).then_some(MetricFamily { name, help: None, kind: MetricType::Gauge, metrics })
}

/// The family, and when its series began.
fn family(message: FamilyMessage, limits: &Limits) -> Result<(MetricFamily, Vec<Option<f64>>), String> {
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
    let (mut metrics, mut created) = (Vec::new(), Vec::new());
    for raw in &message.metric {
        let wrong = |error: String| format!("{name}: {error}");
        let message = MetricMessage::decode(&**raw).map_err(|error| wrong(error.to_string()))?;
        created.push(message.created());
        metrics.push(metric(message, kind, limits).map_err(wrong)?);
    }
    let mut seen = HashSet::new();
    if let Some(twice) = metrics.iter().find(|metric| !seen.insert(metric.labels.as_str())) {
        return Err(format!("{name}{:?}: the same sample came before", twice.labels));
    }
    drop(seen);
    Ok((MetricFamily { name: name.into(), help, kind, metrics }, created))
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
        MetricType::Counter => {
            message.counter.map(|counter| MetricValue::Number(counter.value.unwrap_or_default()))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn family(kind: i32, metrics: &[MetricMessage]) -> FamilyMessage {
        let metric = metrics.iter().map(Message::encode_to_vec).collect();
        FamilyMessage { name: Some("c_total".to_owned()), help: None, kind: Some(kind), metric }
    }

    fn counter(value: f64, created: Option<i64>) -> MetricMessage {
        let created = created.map(|seconds| TimestampMessage { seconds, nanos: 500_000_000 });
        let pair = LabelPair { name: Some("l".to_owned()), value: Some("m".to_owned()) };
        let counter = Some(CounterMessage { value: Some(value), created });
        MetricMessage { label: vec![pair], counter, ..MetricMessage::default() }
    }

    #[test]
    fn when_a_series_began_is_told_to_those_who_ask() {
        let names = |metric: MetricMessage, births: bool| -> Vec<_> {
            let bytes = family(0, &[metric]).encode_length_delimited_to_vec();
            let families = parse_protobuf(&bytes, &Limits::default(), births).unwrap();
            families.into_iter().map(|family| (family.name.to_string(), family.metrics)).collect()
        };
        let told = names(counter(3.0, Some(7)), true);
        assert_eq!(told[0].0, "c_total");
        assert_eq!((told[1].0.as_str(), &told[1].1[0].value), ("c_created", &MetricValue::Number(7.5)));
        assert_eq!(told[1].1[0].labels.as_str(), "l=\"m\"");
        assert_eq!(names(counter(3.0, Some(7)), false).len(), 1);
        assert_eq!(names(counter(3.0, None), true).len(), 1);
    }

    #[test]
    fn what_is_not_one_of_its_parts_is_refused() {
        type Parts = (FamilyMessage, Vec<MetricMessage>);
        let parsed = |change: fn(&mut Parts)| {
            let mut parts = (family(0, &[]), vec![counter(1.0, None)]);
            change(&mut parts);
            let metric = parts.1.iter().map(Message::encode_to_vec).collect();
            let bytes = FamilyMessage { metric, ..parts.0 }.encode_length_delimited_to_vec();
            parse_protobuf(&bytes, &Limits::default(), false)
        };
        assert!(parsed(|_| {}).is_ok());
        let native = |(family, metrics): &mut Parts| {
            let histogram = HistogramMessage { schema: Some(3), ..HistogramMessage::default() };
            family.kind = Some(4);
            metrics[0].histogram = Some(histogram);
        };
        for change in [
            native,
            |(family, _): &mut Parts| family.name = None,
            |(family, _): &mut Parts| family.name = Some("a b".to_owned()),
            |(family, _): &mut Parts| family.kind = Some(1),
            |(family, _): &mut Parts| family.kind = Some(5),
            |(family, _): &mut Parts| family.kind = Some(99),
            |(_, metrics): &mut Parts| metrics.push(metrics[0].clone()),
            |(_, metrics): &mut Parts| metrics[0].label[0].name = Some("__name__".to_owned()),
            |(_, metrics): &mut Parts| metrics[0].label[0].name = Some("1".to_owned()),
            |(_, metrics): &mut Parts| {
                let twice = metrics[0].label[0].clone();
                metrics[0].label.push(twice);
            },
        ] {
            assert!(parsed(change).is_err());
        }
    }

    /// What is small on the wire must not become large in memory.
    #[test]
    fn too_many_samples_are_refused_before_they_are_read() {
        let limits = Limits { samples: 2, ..Limits::default() };
        let refused = |families: &[FamilyMessage]| {
            let bytes: Vec<_> = families.iter().flat_map(Message::encode_length_delimited_to_vec).collect();
            parse_protobuf(&bytes, &limits, false).unwrap_err().message
        };
        let unreadable = FamilyMessage { metric: vec![vec![0xff]; 3], ..family(0, &[]) };
        assert_eq!(refused(&[unreadable]), "more than 2 samples");
        let empty = |name: &str| FamilyMessage { name: Some(name.to_owned()), ..family(0, &[]) };
        assert_eq!(refused(&["a", "b", "c"].map(empty)), "more than 2 samples");
    }
}
