//! Prometheus' text format 0.0.4, read and written, and OpenMetrics 1.0, written.
//!
//! The parser takes what `expfmt.TextParser` of Prometheus takes, which is what Pushgateway reads pushes with, except that
//! it refuses what that one drops or mixes up without a word: the same sample twice, a bucket without `le`, a sample
//! of a histogram or summary that is none of its parts, negative counts. Metric names in quotes and gauge histograms are
//! refused, too.

mod family;
#[cfg(test)]
mod laws;
mod line;
mod number;
mod parse;
mod protobuf;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use super::LabelSet;

pub use number::float_text;
pub use parse::parse;
pub use protobuf::parse_protobuf;
pub use write::{Format, Guest, Labels, Writer};

/// What a metric is, in the format's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
    /// Quantiles that were worked out by the sender.
    Summary,
    /// Nobody said.
    Untyped,
}

/// All samples of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricFamily {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, of histograms and summaries without `_bucket`, `_sum` and `_count`.
    pub name: Box<str>,
    /// What it is about.
    pub help: Option<Box<str>>,
    /// What it is.
    pub kind: MetricType,
    /// By labels, each set once, in the order in which they came. At least one.
    pub metrics: Vec<Metric>,
}

/// What one set of labels has.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Without `le` of histograms and `quantile` of summaries.
    pub labels: LabelSet,
    /// The number or numbers.
    pub value: MetricValue,
    /// Milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

/// The numbers of a [`Metric`].
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// Of a counter, a gauge, or what has no type.
    Number(f64),
    /// Of a histogram.
    Histogram(Histogram),
    /// Of a summary.
    Summary(Summary),
}

/// Counts in buckets, as far as they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper bounds, each once, with how many were not greater. In the order in which they came.
    pub buckets: Vec<(f64, f64)>,
    /// The sum of what was observed.
    pub sum: Option<f64>,
    /// How much was observed.
    pub count: Option<f64>,
}

/// Quantiles, as far as they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Quantiles, each once, with their values. In the order in which they came.
    pub quantiles: Vec<(f64, f64)>,
    /// The sum of what was observed.
    pub sum: Option<f64>,
    /// How much was observed.
    pub count: Option<f64>,
}

/// Bounds of what is parsed. Whatever is longer or more is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line.
    pub line_bytes: usize,
    /// Bytes of the name of a metric or label.
    pub name_bytes: usize,
    /// Labels of a sample.
    pub labels: usize,
    /// Lines with samples; also, metrics that only have a type or help.
    pub samples: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 65_536, name_bytes: 256, labels: 64, samples: 100_000 }
    }
}

/// The text is not in the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

impl MetricType {
    /// The word in a `# TYPE` line. expfmt reads it in any case.
    fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Counter, Self::Gauge, Self::Histogram, Self::Summary, Self::Untyped];
        all.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }

    /// The word in a `# TYPE` line of format 0.0.4.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }
}
