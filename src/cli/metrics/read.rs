//! Numbers on standard input, in Prometheus' text format.

use std::io::Read;

use fuseboard::domain::exposition::{Limits, MetricFamily, MetricType, MetricValue, parse};
use serde_json::{Value, json};

/// The longest input.
const LONGEST: u64 = 64 << 20;

/// A number with its labels.
pub struct Line {
    /// As on the wire, without labels.
    pub sample: Value,
    /// Names and values.
    pub labels: Vec<(String, String)>,
}

/// All numbers of an input.
pub struct Lines(pub Vec<Line>);

impl Lines {
    /// Reads them all. `kind` is the type of metrics of which the input says none.
    pub fn read(input: impl Read, kind: &str) -> Result<Self, String> {
        let mut text = Vec::new();
        input.take(LONGEST + 1).read_to_end(&mut text).map_err(|e| format!("standard input: {e}"))?;
        if text.len() as u64 > LONGEST {
            return Err(format!("standard input is longer than {LONGEST} bytes"));
        }
        // The last line is a line whether it ends or not.
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        let families = parse(&text, &Limits::default()).map_err(|e| format!("standard input: {e}"))?;
        let lines: Result<Vec<_>, String> = families.iter().map(|family| lines(family, kind)).collect();
        Ok(Self(lines?.into_iter().flatten().collect()))
    }
}

fn lines(family: &MetricFamily, kind: &str) -> Result<Vec<Line>, String> {
    let name = &family.name;
    let kind = match family.kind {
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Untyped => kind,
        MetricType::Histogram | MetricType::Summary => {
            return Err(format!(
                "{name}: a {} cannot be added to a timer; push it with PUT /metrics/job/…",
                family.kind.as_str()
            ));
        }
    };
    family
        .metrics
        .iter()
        .map(|metric| {
            if metric.timestamp_ms.is_some() {
                return Err(format!(
                    "{name}: a time stamp has no place here: samples count from when they come"
                ));
            }
            let MetricValue::Number(value) = metric.value else {
                return Err(format!("{name}: not a number"));
            };
            if !value.is_finite() {
                return Err(format!("{name}: {value} is no number that can be pushed"));
            }
            let labels = metric.labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned()));
            let sample = json!({ "name": name, "type": kind, "value": value, "help": family.help });
            Ok(Line { sample, labels: labels.collect() })
        })
        .collect()
}
