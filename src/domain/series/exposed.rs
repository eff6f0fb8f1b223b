//! Metrics as Prometheus sees them.

use std::borrow::Cow;

use super::{Buckets, Family, MetricKind, family::Cells, timer::Timer};
use crate::domain::{
    Time,
    exposition::{MetricType, Writer},
};

/// About how many bytes a line has besides its name, and a histogram has lines.
const LINE: usize = 64;

/// The name that Prometheus sees: counters end with `_total`, timers with `_seconds`.
#[must_use]
pub fn exposed_name(name: &str, kind: MetricKind) -> Cow<'_, str> {
    let suffix = match kind {
        MetricKind::Counter => "_total",
        MetricKind::Gauge => "",
        MetricKind::Timer => "_seconds",
    };
    if name.ends_with(suffix) { Cow::Borrowed(name) } else { Cow::Owned(format!("{name}{suffix}")) }
}

/// All names that a metric needs for itself, so that no page has one twice: OpenMetrics' rule, which Python's client
/// has for its registries, too.
pub(super) fn claims(name: &str, kind: MetricKind) -> Vec<String> {
    let exposed = exposed_name(name, kind);
    let base = match kind {
        MetricKind::Counter => exposed.strip_suffix("_total").unwrap_or(&exposed),
        MetricKind::Gauge | MetricKind::Timer => &exposed,
    };
    let suffixes: &[&str] = match kind {
        MetricKind::Counter => &["", "_total", "_created"],
        MetricKind::Gauge => &[""],
        MetricKind::Timer => &["", "_bucket", "_sum", "_count", "_created"],
    };
    suffixes.iter().map(|suffix| format!("{base}{suffix}")).collect()
}

impl MetricKind {
    /// The type that Prometheus sees.
    #[must_use]
    pub const fn exposed(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Timer => MetricType::Histogram,
        }
    }
}

impl Family {
    /// The name that Prometheus sees.
    #[must_use]
    pub fn exposed_name(&self) -> Cow<'_, str> {
        exposed_name(&self.name, self.kind())
    }

    /// Writes the series that are not over; nothing if there are none.
    pub fn write(&self, now: Time, writer: &mut Writer<'_>) {
        let exposed = self.exposed_name();
        match &self.cells {
            Cells::Counters(series) => {
                let lines = series.live(now).map(|(labels, total, _)| (labels.as_str(), *total));
                self.write_numbers(&exposed, MetricType::Counter, lines, writer);
            }
            Cells::Gauges(series) => {
                let lines = series.live(now).map(|(labels, value, _)| (labels.as_str(), *value));
                self.write_numbers(&exposed, MetricType::Gauge, lines, writer);
            }
            Cells::Timers(buckets, series) => {
                let mut has_head = false;
                for (labels, timer, _) in series.live(now) {
                    if !has_head {
                        writer.head(&exposed, MetricType::Histogram, self.help.as_deref());
                        has_head = true;
                    }
                    timer.write(&exposed, labels.as_str(), buckets, writer);
                }
            }
        }
    }

    fn write_numbers<'a>(
        &self,
        exposed: &str,
        kind: MetricType,
        lines: impl Iterator<Item = (&'a str, f64)>,
        writer: &mut Writer<'_>,
    ) {
        let mut lines = lines.peekable();
        if lines.peek().is_none() {
            return;
        }
        writer.reserve(self.len() * (exposed.len() + LINE));
        writer.head(exposed, kind, self.help.as_deref());
        for (labels, value) in lines {
            writer.sample(exposed, "", labels, None);
            writer.value(value, None);
        }
    }
}

impl Timer {
    #[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
    fn write(&self, name: &str, labels: &str, buckets: &Buckets, writer: &mut Writer<'_>) {
        let mut up_to = 0_u64;
        let bounds = buckets.bounds().iter().chain([&f64::INFINITY]);
        for (bound, count) in bounds.zip(&self.counts) {
            up_to = up_to.saturating_add(*count);
            writer.sample(name, "_bucket", labels, Some(("le", *bound)));
            writer.value(up_to as f64, None);
        }
        writer.sample(name, "_sum", labels, None);
        writer.value(self.sum, None);
        writer.sample(name, "_count", labels, None);
        writer.value(self.count as f64, None);
    }
}
