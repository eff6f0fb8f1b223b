//! Families of the board's own metrics.

use std::fmt::Write as _;

use crate::domain::exposition::{MetricType, Writer};

/// One metric family: its lines are collected apart, because a family must stand together. Without series it is
/// left out.
pub(super) struct Family {
    name: String,
    kind: MetricType,
    help: String,
    /// Whole lines.
    pub(super) series: String,
}

impl Family {
    pub(super) fn new(name: &str, kind: MetricType, help: &str) -> Self {
        Self { name: name.to_owned(), kind, help: help.to_owned(), series: String::new() }
    }

    pub(super) fn write_to(&self, out: &mut Writer<'_>) {
        if !self.series.is_empty() {
            out.head(&self.name, self.kind, Some(&self.help));
            out.lines(&self.series);
        }
    }

    /// A series. Names of resources need no escaping: see `domain::Name`.
    pub(super) fn add(&mut self, metric: &str, name: &str, label: Option<(&str, &str)>, value: f64) {
        // Writing to a String does not fail.
        let _ = match label {
            Some((key, label)) => {
                writeln!(self.series, "{metric}{{name=\"{name}\",{key}=\"{label}\"}} {value}")
            }
            None => writeln!(self.series, "{metric}{{name=\"{name}\"}} {value}"),
        };
    }

    /// A series of the family's own name. Neither names of resources nor our own words need escaping.
    pub(super) fn add_labelled(&mut self, labels: &[(&str, &str)], value: f64) {
        self.add_suffixed("", labels, value);
    }

    /// A series of a histogram, whose name ends with `suffix`.
    pub(super) fn add_suffixed(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.series.push_str(&self.name);
        self.series.push_str(suffix);
        for (n, (key, label)) in labels.iter().enumerate() {
            let before = if n == 0 { '{' } else { ',' };
            // Writing to a String does not fail.
            let _ = write!(self.series, "{before}{key}=\"{label}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.series, "{end} {value}");
    }
}

pub(super) fn write_all(families: &[Family], out: &mut Writer<'_>) {
    for family in families {
        family.write_to(out);
    }
}
