//! Writing format 0.0.4 and OpenMetrics 1.0.

use super::{Metric, MetricFamily, MetricType, MetricValue, number::push_float};
use crate::domain::label_set::push_escaped;

/// A format of `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// A bound of a bucket as the label `le` has it.
    #[must_use]
    pub fn bound(self, bound: f64) -> String {
        let mut text = String::new();
        push_bound(&mut text, self, bound);
        text
    }
}

/// Appends families to a text. What they are made of is valid, since it was parsed or checked.
///
/// In both formats a family must stand together and come once; whoever has samples of one name from two places writes
/// one [`head`](Self::head) and then all of them.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut String,
    format: Format,
}

/// A label that is not one of the series: `le` or `quantile`.
pub(in crate::domain) type Edge = (&'static str, f64);

impl<'a> Writer<'a> {
    /// Appends to `out`.
    #[must_use]
    pub fn new(out: &'a mut String, format: Format) -> Self {
        Self { out, format }
    }

    /// A whole family.
    pub fn family(&mut self, family: &MetricFamily) {
        self.head(&family.name, family.kind, family.help.as_deref());
        for metric in &family.metrics {
            self.metric(&family.name, metric);
        }
    }

    /// The lines before the samples. In OpenMetrics a counter's name is without `_total`; one that does not end so
    /// is of unknown type there.
    pub fn head(&mut self, name: &str, kind: MetricType, help: Option<&str>) {
        let (name, word) = match self.format {
            Format::Text => (name, kind.as_str()),
            Format::OpenMetrics => {
                match (kind, name.strip_suffix("_total").filter(|short| !short.is_empty())) {
                    (MetricType::Counter, Some(short)) => (short, kind.as_str()),
                    (MetricType::Counter, None) | (MetricType::Untyped, _) => (name, "unknown"),
                    _ => (name, kind.as_str()),
                }
            }
        };
        if let Some(help) = help {
            self.push(&["# HELP ", name, " "]);
            push_escaped(self.out, help, self.format == Format::OpenMetrics);
            self.out.push('\n');
        }
        self.push(&["# TYPE ", name, " ", word, "\n"]);
    }

    /// The samples of one set of labels, after the [`head`](Self::head) of their family.
    pub fn metric(&mut self, name: &str, metric: &Metric) {
        let (labels, timestamp) = (metric.labels.as_str(), metric.timestamp_ms);
        let mut line = |suffix: &str, edge: Option<Edge>, value: f64| {
            self.sample(name, suffix, labels, edge);
            self.value(value, timestamp);
        };
        let (sum, count) = match &metric.value {
            MetricValue::Number(value) => return line("", None, *value),
            MetricValue::Histogram(histogram) => {
                for (bound, count) in &histogram.buckets {
                    line("_bucket", Some(("le", *bound)), *count);
                }
                let is_closed = histogram.buckets.iter().any(|(bound, _)| *bound == f64::INFINITY);
                // Both formats ask for it, and expfmt adds it, too.
                if let Some(count) = histogram.count.filter(|_| !is_closed) {
                    line("_bucket", Some(("le", f64::INFINITY)), count);
                }
                (histogram.sum, histogram.count)
            }
            MetricValue::Summary(summary) => {
                for (quantile, value) in &summary.quantiles {
                    line("", Some(("quantile", *quantile)), *value);
                }
                (summary.sum, summary.count)
            }
        };
        if let Some(sum) = sum {
            line("_sum", None, sum);
        }
        if let Some(count) = count {
            line("_count", None, count);
        }
    }

    /// Which format it is.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whole lines with samples, written already, after the [`head`](Self::head) of their family.
    pub fn lines(&mut self, lines: &str) {
        self.out.push_str(lines);
    }

    /// Ends the text.
    pub fn finish(self) {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
    }

    /// Makes room for about so many bytes.
    pub(in crate::domain) fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// A line up to its value.
    #[inline]
    pub(in crate::domain) fn sample(&mut self, name: &str, suffix: &str, labels: &str, edge: Option<Edge>) {
        self.out.push_str(name);
        self.out.push_str(suffix);
        if labels.is_empty() && edge.is_none() {
            self.out.push(' ');
            return;
        }
        self.out.push('{');
        self.out.push_str(labels);
        if let Some((label, bound)) = edge {
            if !labels.is_empty() {
                self.out.push(',');
            }
            self.push(&[label, "=\""]);
            push_bound(self.out, self.format, bound);
            self.out.push('"');
        }
        self.out.push_str("} ");
    }

    /// The rest of a line.
    #[inline]
    pub(in crate::domain) fn value(&mut self, value: f64, timestamp_ms: Option<i64>) {
        push_float(self.out, value);
        if let Some(timestamp) = timestamp_ms {
            self.out.push(' ');
            self.timestamp(timestamp);
        }
        self.out.push('\n');
    }

    /// Milliseconds, in OpenMetrics as seconds.
    fn timestamp(&mut self, timestamp: i64) {
        let mut digits = itoa::Buffer::new();
        match self.format {
            Format::Text => self.out.push_str(digits.format(timestamp)),
            Format::OpenMetrics => {
                let (seconds, millis) = (timestamp.unsigned_abs() / 1000, timestamp.unsigned_abs() % 1000);
                let sign = if timestamp < 0 { "-" } else { "" };
                self.push(&[sign, digits.format(seconds), "."]);
                // Three digits: the thousand in front is left out.
                self.out.push_str(&digits.format(1000 + millis)[1..]);
            }
        }
    }

    fn push(&mut self, parts: &[&str]) {
        for part in parts {
            self.out.push_str(part);
        }
    }
}

/// OpenMetrics wants its bounds as floats that look like floats, so that they are the same text everywhere.
fn push_bound(out: &mut String, format: Format, bound: f64) {
    let before = out.len();
    push_float(out, bound);
    let looks_whole = out[before..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if format == Format::OpenMetrics && looks_whole {
        out.push_str(".0");
    }
}
