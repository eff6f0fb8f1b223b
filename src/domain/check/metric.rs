//! The probes that look into the board's memory: at a breaker, at a metric.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    CheckSpec, Labels, Observation,
    limits::{invalid, required, span},
};
use crate::domain::{LabelSet, Seconds, StateName, health::Status, invalid::InvalidConfig};

const LONGEST_NAME: usize = 200;

/// How a value compares to a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Comparison {
    /// Greater.
    #[serde(rename = ">")]
    Greater,
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Greater or equal.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Less or equal.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Equal.
    #[serde(rename = "==")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=")]
    NotEqual,
}

impl Comparison {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::Less => "<",
            Self::GreaterOrEqual => ">=",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether `value` compares so to `threshold`.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "exactly what was asked for")]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::Less => value < threshold,
            Self::GreaterOrEqual => value >= threshold,
            Self::LessOrEqual => value <= threshold,
            Self::Equal => value == threshold,
            Self::NotEqual => value != threshold,
        }
    }
}

/// A comparison to a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricRule {
    /// `>`, `<`, `>=`, `<=`, `==` or `!=`.
    pub comparison: Comparison,
    /// What to compare to.
    pub threshold: f64,
}

impl MetricRule {
    fn checked(self, field: &'static str) -> Result<Self, InvalidConfig> {
        if self.threshold.is_finite() {
            Ok(self)
        } else {
            invalid(field, "threshold must be a finite number")
        }
    }

    /// How far a value is beyond the threshold, negative for one that is before it. The greatest is the nearest to it.
    #[must_use]
    pub fn excess(self, value: f64) -> f64 {
        let difference = value - self.threshold;
        match self.comparison {
            Comparison::Greater | Comparison::GreaterOrEqual => difference,
            Comparison::Less | Comparison::LessOrEqual => -difference,
            Comparison::Equal => -difference.abs(),
            Comparison::NotEqual => difference.abs(),
        }
    }

    fn describe(self, color: &str) -> String {
        format!("{color} if {} {}", self.comparison.as_str(), self.threshold)
    }
}

/// Which metric to look at, and what its value means.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricProbe {
    /// Its name.
    pub name: Box<str>,
    /// Labels of the series.
    pub labels: Labels,
    red_if: MetricRule,
    yellow_if: Option<MetricRule>,
    max_age: Option<Seconds>,
}

impl MetricProbe {
    pub(super) fn checked(spec: CheckSpec) -> Result<Self, InvalidConfig> {
        let name = required("metric_name", spec.metric_name, "metric")?;
        let red_if = required("red_if", spec.red_if, "metric")?;
        Ok(Self {
            name: checked_metric_name("metric_name", name)?,
            labels: Labels::parse("metric_labels", spec.metric_labels.unwrap_or_default())?,
            red_if: red_if.checked("red_if")?,
            yellow_if: spec.yellow_if.map(|rule| rule.checked("yellow_if")).transpose()?,
            max_age: spec.max_age_seconds.map(|given| span("max_age_seconds", given)).transpose()?,
        })
    }

    pub(super) fn fill(&self, spec: CheckSpec) -> CheckSpec {
        let labels: BTreeMap<String, String> = self.labels.to_map();
        CheckSpec {
            metric_name: Some(self.name.to_string()),
            metric_labels: Some(labels),
            red_if: Some(self.red_if),
            yellow_if: self.yellow_if,
            max_age_seconds: self.max_age.map(f64::from),
            ..spec
        }
    }

    /// The series to look at; none if no series can have such labels.
    #[must_use]
    pub fn series(&self) -> Option<LabelSet> {
        LabelSet::from_pairs(self.labels.iter().filter(|(_, value)| !value.is_empty()).collect()).ok()
    }

    /// What the last value means, which was sent so long ago. No value, one that is too old, and one that is no
    /// number are red.
    #[must_use]
    pub fn judge(&self, last: Option<(f64, Duration)>) -> Observation {
        let Some((value, age)) = last else { return Observation::new(Status::Red, "no data") };
        if let Some(most) = self.max_age.filter(|most| age > most.get()) {
            return Observation::new(Status::Red, format!("no data for more than {} s", f64::from(most)));
        }
        if value.is_nan() {
            return Observation::new(Status::Red, "no data: the value is not a number");
        }
        let breaks = |rule: &MetricRule| rule.comparison.holds(value, rule.threshold);
        let name = &self.name;
        let observation = if breaks(&self.red_if) {
            Observation::new(Status::Red, format!("{name} is {value}: {}", self.red_if.describe("red")))
        } else if let Some(rule) = self.yellow_if.filter(breaks) {
            Observation::new(Status::Yellow, format!("{name} is {value}: {}", rule.describe("yellow")))
        } else {
            Observation::new(Status::Green, format!("{name} is {value}"))
        };
        observation.with("value", json!(value))
    }
}

/// What the state of a breaker means; without one (there is no such breaker) it is red.
#[must_use]
pub fn judge_breaker(state: Option<StateName>) -> Observation {
    let Some(state) = state else { return Observation::new(Status::Red, "there is no such breaker") };
    let (status, message) = match state {
        StateName::Closed => (Status::Green, "closed"),
        StateName::Open => (Status::Red, "open: calls are refused"),
        StateName::ForcedOpen => (Status::Red, "forced open: an operator refuses calls"),
        StateName::HalfOpen => (Status::Yellow, "half open: a few calls pass as a test"),
        StateName::Disabled => (Status::Yellow, "disabled: calls pass without protection"),
        StateName::MetricsOnly => (Status::Yellow, "metrics only: calls pass without protection"),
    };
    Observation::new(status, message).with("state", json!(state.as_str()))
}

/// 1 to 200 characters of `A-Z a-z 0-9 _ . : -`.
pub(in crate::domain) fn checked_metric_name(
    field: &'static str,
    raw: String,
) -> Result<Box<str>, InvalidConfig> {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    if raw.is_empty() || raw.len() > LONGEST_NAME || !raw.bytes().all(is_part) {
        return invalid(field, format!("must be 1 to {LONGEST_NAME} characters of A-Z a-z 0-9 _ . : -"));
    }
    Ok(raw.into())
}
