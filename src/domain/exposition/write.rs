//! Writing format 0.0.4 and OpenMetrics 1.0.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

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
    guests: Option<Guests<'a>>,
    /// Names of families, for OpenMetrics.
    names: HashMap<Box<str>, MetricType, RandomState>,
}

/// Families of others, that stand with those that are written under the same names.
#[derive(Debug)]
struct Guests<'a> {
    all: Box<dyn Guest + 'a>,
    /// The last family that was begun, if guests have it, too.
    host: Option<(String, MetricType)>,
    /// Labels of its samples.
    labels: Labels,
}

/// Whoever has samples of families that others write, too.
pub trait Guest: std::fmt::Debug {
    /// Whether it has some of that name.
    fn has(&self, name: &str) -> bool;
    /// Writes samples of a family whose head is written, except those with such `labels`, if they are of its type.
    fn join(&mut self, name: &str, kind: MetricType, labels: &Labels, writer: &mut Writer<'_>);
    /// Writes all other families.
    fn rest(&mut self, writer: &mut Writer<'_>);
}

/// Texts of sets of labels, without empty ones.
pub type Labels = HashSet<Box<str>, RandomState>;

/// A label that is not one of the series: `le` or `quantile`.
pub(in crate::domain) type Edge = (&'static str, f64);

impl<'a> Writer<'a> {
    /// Appends to `out`.
    #[must_use]
    pub fn new(out: &'a mut String, format: Format) -> Self {
        Self { out, format, guests: None, names: HashMap::default() }
    }

    /// Lets samples of others stand with the families that are written from now on, and all else of them before the end.
    #[must_use]
    pub fn with_guests(mut self, guests: impl Guest + 'a) -> Self {
        self.guests = Some(Guests { all: Box::new(guests), host: None, labels: HashSet::default() });
        self
    }

    /// Ends the family that is written: those who have samples of it, too, write theirs.
    fn end_family(&mut self) {
        let Some(mut guests) = self.guests.take() else { return };
        if let Some((name, kind)) = guests.host.take() {
            guests.all.join(&name, kind, &guests.labels, self);
            guests.labels.clear();
        }
        self.guests = Some(guests);
    }

    /// A whole family.
    pub fn family(&mut self, family: &MetricFamily) {
        self.head(&family.name, family.kind, family.help.as_deref());
        for metric in &family.metrics {
            self.metric(&family.name, metric);
        }
    }

    /// The lines before the samples. In OpenMetrics a counter's name is without `_total`; one that does not end so, or whose
    /// name without it is another family's, is of unknown type there.
    pub fn head(&mut self, name: &str, kind: MetricType, help: Option<&str>) {
        self.end_family();
        if let Some(guests) = &mut self.guests {
            guests.host = guests.all.has(name).then(|| (name.to_owned(), kind));
        }
        let (name, word) = match self.format {
            Format::Text => (name, kind.as_str()),
            Format::OpenMetrics => {
                let is_guests = |name: &str| self.guests.as_ref().is_some_and(|guests| guests.all.has(name));
                let is_free =
                    |short: &&str| !short.is_empty() && !self.names.contains_key(*short) && !is_guests(short);
                match (kind, name.strip_suffix("_total").filter(is_free)) {
                    (MetricType::Counter, Some(short)) => (short, kind.as_str()),
                    (MetricType::Counter, None) | (MetricType::Untyped, _) => (name, "unknown"),
                    _ => (name, kind.as_str()),
                }
            }
        };
        if self.format == Format::OpenMetrics {
            self.names.insert(name.into(), kind);
        }
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

    /// What the family of that name is, where OpenMetrics would take it for part of the name of others.
    #[must_use]
    pub fn begun(&self, name: &str) -> Option<MetricType> {
        self.names.get(name).copied()
    }

    /// Ends the text.
    pub fn finish(mut self) {
        self.end_family();
        if let Some(mut guests) = self.guests.take() {
            guests.all.rest(&mut self);
        }
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
        if let Some(guests) = &mut self.guests
            && guests.host.is_some()
            && !guests.labels.contains(labels)
        {
            guests.labels.insert(labels.into());
        }
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
