//! A sample that was checked.

use super::{MetricKind, Rejection, RejectionCode, SampleLabels, SampleOp, SampleSpec};
use crate::domain::{
    LabelSet, Seconds,
    label_set::{is_label_name, is_metric_name, push_pair},
    text::Text,
    text::is_longer,
};

const LONGEST_NAME: usize = 200;
const MOST_LABELS: usize = 32;
const LONGEST_LABEL_NAME: usize = 128;
const LONGEST_LABEL_VALUE: usize = 256;
/// As Prometheus reads them: what a series takes in memory.
const LONGEST_LABELS: usize = 4096;
const LONGEST_HELP: usize = 1024;
/// What the board's own metrics begin with.
const RESERVED: [&str; 2] = ["fuseboard_", "resilience4j_"];

/// What a sample does. All numbers are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// Adds so much, which is not negative, to a counter.
    Count(f64),
    /// Gives a gauge this value.
    Set(f64),
    /// Adds so much to a gauge.
    Shift(f64),
    /// So many seconds, which are not negative, for a timer.
    Observe(f64),
}

/// One number for one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// Of the metric.
    pub name: &'a str,
    /// What it does.
    pub update: Update,
    /// The canonical text of a [`LabelSet`](crate::domain::LabelSet).
    pub(super) labels: &'a str,
    /// What the metric is about.
    pub help: Option<&'a str>,
    /// How long the series lives after it.
    pub ttl: Option<Seconds>,
}

impl Update {
    /// What the metric must be.
    #[must_use]
    pub const fn kind(self) -> MetricKind {
        match self {
            Self::Count(_) => MetricKind::Counter,
            Self::Set(_) | Self::Shift(_) => MetricKind::Gauge,
            Self::Observe(_) => MetricKind::Timer,
        }
    }

    fn checked(kind: MetricKind, op: Option<SampleOp>, value: Option<f64>) -> Result<Self, Rejection> {
        let op = op.unwrap_or(match kind {
            MetricKind::Counter => SampleOp::Increment,
            MetricKind::Gauge => SampleOp::Set,
            MetricKind::Timer => SampleOp::Observe,
        });
        let default = matches!(op, SampleOp::Increment | SampleOp::Decrement).then_some(1.0);
        let finite = value.or(default).filter(|value| value.is_finite());
        let any = finite.ok_or_else(|| invalid_value("must be a finite number"));
        let positive = || match finite {
            // Adding zero turns -0 into 0.
            Some(value) if value >= 0.0 => Ok(value + 0.0),
            _ => Err(invalid_value("must be a finite number, 0 or greater")),
        };
        match (kind, op) {
            (MetricKind::Counter, SampleOp::Increment) => positive().map(Self::Count),
            (MetricKind::Gauge, SampleOp::Set) => any.map(Self::Set),
            (MetricKind::Gauge, SampleOp::Increment) => any.map(Self::Shift),
            (MetricKind::Gauge, SampleOp::Decrement) => any.map(|value| Self::Shift(-value)),
            (MetricKind::Timer, SampleOp::Observe) => positive().map(Self::Observe),
            (kind, op) => {
                let message = format!("op: {} is nothing that a {} does", op.as_str(), kind.as_str());
                Err(Rejection::new(RejectionCode::InvalidOp, message))
            }
        }
    }
}

impl<'a> Sample<'a> {
    /// The labels of its series.
    #[must_use]
    pub fn label_set(&self) -> LabelSet {
        LabelSet::from_canonical(self.labels)
    }

    /// Checks a sample. `scratch` is where its labels are written; with one for many samples none needs memory of its
    /// own.
    pub fn checked(spec: &'a SampleSpec<'_>, scratch: &'a mut String) -> Result<Self, Rejection> {
        let name = checked_name(spec.name.as_str())?;
        let update = Update::checked(spec.kind, spec.op, spec.value)?;
        let help = spec.help.as_ref().map(Text::as_str);
        if help.is_some_and(|help| is_longer(help, LONGEST_HELP)) {
            let message = format!("help: must be at most {LONGEST_HELP} characters");
            return Err(Rejection::new(RejectionCode::InvalidHelp, message));
        }
        let ttl = spec.ttl_seconds.map(checked_ttl).transpose()?;
        scratch.clear();
        if let Some(labels) = &spec.labels {
            write_labels(labels.iter(), scratch)?;
        }
        Ok(Self { name, update, labels: scratch, help, ttl })
    }
}

fn checked_name(name: &str) -> Result<&str, Rejection> {
    // Without its ending, which OpenMetrics leaves out, nothing would be left of `_total`.
    if !is_metric_name(name) || name.len() > LONGEST_NAME || name == "_total" {
        let message = format!(
            "name: must be 1 to {LONGEST_NAME} characters of a-z A-Z 0-9 _ : and not start with a digit, \
             because Prometheus takes no others{}",
            suggestion(name)
        );
        return Err(Rejection::new(RejectionCode::InvalidName, message));
    }
    match RESERVED.iter().find(|prefix| name.starts_with(**prefix)) {
        None => Ok(name),
        Some(prefix) => {
            let message = format!("name: {prefix}… are the board's own metrics");
            Err(Rejection::new(RejectionCode::ReservedName, message))
        }
    }
}

/// A name that would do. Names are never changed silently: `a.b` and `a-b` would be one metric.
fn suggestion(name: &str) -> String {
    let near: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if is_metric_name(&near) && near.len() <= LONGEST_NAME {
        format!("; {near} would do")
    } else {
        String::new()
    }
}

fn checked_ttl(seconds: f64) -> Result<Seconds, Rejection> {
    Seconds::try_from(seconds).ok().filter(|ttl| !ttl.is_zero()).ok_or_else(|| {
        Rejection::new(
            RejectionCode::InvalidTtl,
            "ttl_seconds: must be a number greater than 0, at most 315360000",
        )
    })
}

/// Labels that a sample may have, for whoever needs them without one.
pub fn label_set(labels: &SampleLabels<'_>) -> Result<LabelSet, Rejection> {
    let mut text = String::new();
    write_labels(labels.iter(), &mut text)?;
    Ok(LabelSet::from_canonical(&text))
}

fn write_labels<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    text: &mut String,
) -> Result<(), Rejection> {
    let mut before = None;
    for (count, (name, value)) in labels.enumerate() {
        if count >= MOST_LABELS {
            return Err(invalid_label(format!("labels: must be at most {MOST_LABELS}")));
        }
        if before.replace(name) == Some(name) {
            return Err(invalid_label(format!("labels: {name:?} comes twice")));
        }
        if !is_label_name(name)
            || name.len() > LONGEST_LABEL_NAME
            || name.starts_with("__")
            || matches!(name, "le" | "quantile")
        {
            let short: String = name.chars().take(LONGEST_LABEL_NAME).collect();
            return Err(invalid_label(format!(
                "labels: {short:?} is no name for a label: one is 1 to {LONGEST_LABEL_NAME} characters of a-z A-Z \
                 0-9 _ and does not start with a digit or __; le and quantile are Prometheus' own"
            )));
        }
        if is_longer(value, LONGEST_LABEL_VALUE) {
            let message =
                format!("labels: the value of {name:?} must be at most {LONGEST_LABEL_VALUE} characters");
            return Err(invalid_label(message));
        }
        if !value.is_empty() {
            push_pair(text, name, value);
        }
    }
    if text.len() > LONGEST_LABELS {
        return Err(invalid_label(format!("labels: must be at most {LONGEST_LABELS} bytes together")));
    }
    Ok(())
}

fn invalid_label(message: String) -> Rejection {
    Rejection::new(RejectionCode::InvalidLabel, message)
}

fn invalid_value(rule: &str) -> Rejection {
    Rejection::new(RejectionCode::InvalidValue, format!("value: {rule}"))
}
