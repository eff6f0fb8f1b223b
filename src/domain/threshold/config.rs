//! A threshold: as it comes over the wire, and checked.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    episode::{Timing, Unseen},
    own::{self, OwnMetric},
};
use crate::domain::{
    LabelSet, Seconds,
    alert::AlertLevel,
    check::{Comparison, Labels, MetricRule, checked_metric_name},
    invalid::{InvalidConfig, invalid},
    label_set::is_label_name,
    schema::{LabelValue, MetricName, SeriesLabelName},
    template::{Fields, Template},
    text::is_longer,
};

const LONGEST_DESCRIPTION: usize = 1024;
/// After so long without a value there is no data, unless the threshold says otherwise.
const NO_DATA_AFTER: Seconds = Seconds::whole(300);

/// What a series means that nobody sends any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// What it meant before.
    #[default]
    Keep,
    /// All is well.
    Ok,
    /// As if it breached the threshold.
    Alert,
}

/// A threshold as it comes over the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ThresholdSpec {
    /// What it is for. At most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub description: Option<String>,
    /// The metric: 1 to 200 characters of `A-Z a-z 0-9 _ . : -`. Required. Of the board's own metrics there are
    /// `fuseboard_breaker_open`, `fuseboard_check_red`, `fuseboard_schedule_missed` and `fuseboard_backup_corrupt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MetricName, required = true)]
    pub metric_name: Option<String>,
    /// How a value breaches it: `>` (default), `<`, `>=`, `<=`, `==` or `!=`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// What values are compared with: a finite number. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64, required = true)]
    pub threshold: Option<f64>,
    /// How grave it is: `info`, `warning` (default), `error` or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<AlertLevel>,
    /// Only series that have each of these labels; an empty value stands for a label that is not there. Default: all.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<SeriesLabelName, LabelValue>)]
    pub labels: BTreeMap<String, String>,
    /// The message, as for Python's `str.format` with the fields `metric_name`, `comparison`, `threshold`, `value` and
    /// `level`. Default `{metric_name} {comparison} {threshold}: {value}`; for the board's own metrics, what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub message_template: Option<String>,
    /// How long a value must breach it before an alert fires. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 315_360_000)]
    pub for_seconds: Option<f64>,
    /// How long values must be well again before an alert is resolved. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 315_360_000)]
    pub keep_firing_for_seconds: Option<f64>,
    /// What a series means that has no value for `no_data_after_seconds`: `keep` (default), `ok`, or `alert`. With `alert`,
    /// that no series is there at all is an alert as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_data: Option<NoData>,
    /// Default 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub no_data_after_seconds: Option<f64>,
    /// False: it looks at nothing, and its alerts are resolved. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A threshold, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdConfig {
    description: Option<Box<str>>,
    metric_name: Box<str>,
    rule: MetricRule,
    level: AlertLevel,
    labels: Labels,
    /// None for one of the board's own metrics that says what happened.
    template: Option<Template>,
    wait: Seconds,
    keep: Seconds,
    no_data: NoData,
    no_data_after: Seconds,
    enabled: bool,
}

fn seconds(field: &'static str, given: Option<f64>, default: Seconds) -> Result<Seconds, InvalidConfig> {
    given.map_or(Ok(default), |given| {
        Seconds::try_from(given).or_else(|error| invalid(field, error.to_string()))
    })
}

fn checked_labels(raw: BTreeMap<String, String>) -> Result<Labels, InvalidConfig> {
    if let Some(name) = raw.keys().find(|name| !is_label_name(name)) {
        let message = format!("{name:?} is no label of a series: one is [a-zA-Z_][a-zA-Z0-9_]*");
        return invalid("labels", message);
    }
    Labels::parse("labels", raw)
}

impl TryFrom<ThresholdSpec> for ThresholdConfig {
    type Error = InvalidConfig;

    fn try_from(spec: ThresholdSpec) -> Result<Self, InvalidConfig> {
        let Some(metric_name) = spec.metric_name else { return invalid("metric_name", "is required") };
        let metric_name = checked_metric_name("metric_name", metric_name)?;
        let own = OwnMetric::named(&metric_name);
        if own.is_none() && own::is_reserved(&metric_name) {
            let known = OwnMetric::ALL.map(OwnMetric::metric).join(", ");
            return invalid("metric_name", format!("is one of the board's own; thresholds look at {known}"));
        }
        let threshold = match spec.threshold {
            None => return invalid("threshold", "is required"),
            Some(given) if !given.is_finite() => return invalid("threshold", "must be a finite number"),
            // Zero and minus zero are the same to compare with, and should be the same definition.
            Some(given) => given + 0.0,
        };
        let description = match spec.description {
            Some(text) if is_longer(&text, LONGEST_DESCRIPTION) => {
                return invalid("description", format!("must be at most {LONGEST_DESCRIPTION} characters"));
            }
            given => given.map(String::into_boxed_str),
        };
        let after = "no_data_after_seconds";
        let no_data_after = seconds(after, spec.no_data_after_seconds, NO_DATA_AFTER)?;
        if no_data_after.is_zero() {
            return invalid(after, "must be more than 0");
        }
        let no_data = spec.no_data.unwrap_or_default();
        if own.is_some() && no_data != NoData::Keep {
            return invalid(
                "no_data",
                "must be keep: the board's own metrics change only when something happens",
            );
        }
        let default = own.is_none().then(|| Template::DEFAULT.to_owned());
        let template = spec.message_template.or(default).map(Template::try_from).transpose()?;
        Ok(Self {
            description,
            metric_name,
            rule: MetricRule { comparison: spec.comparison.unwrap_or(Comparison::Greater), threshold },
            level: spec.level.unwrap_or(AlertLevel::Warning),
            labels: checked_labels(spec.labels)?,
            template,
            wait: seconds("for_seconds", spec.for_seconds, Seconds::ZERO)?,
            keep: seconds("keep_firing_for_seconds", spec.keep_firing_for_seconds, Seconds::ZERO)?,
            no_data,
            no_data_after,
            enabled: spec.enabled.unwrap_or(true),
        })
    }
}

impl From<&ThresholdConfig> for ThresholdSpec {
    /// Every field filled.
    fn from(config: &ThresholdConfig) -> Self {
        Self {
            description: config.description.as_deref().map(str::to_owned),
            metric_name: Some(config.metric_name.to_string()),
            comparison: Some(config.rule.comparison),
            threshold: Some(config.rule.threshold),
            level: Some(config.level),
            labels: config.labels.to_map(),
            message_template: config.template.as_ref().map(|template| template.as_str().to_owned()),
            for_seconds: Some(config.wait.into()),
            keep_firing_for_seconds: Some(config.keep.into()),
            no_data: Some(config.no_data),
            no_data_after_seconds: Some(config.no_data_after.into()),
            enabled: Some(config.enabled),
        }
    }
}

impl ThresholdConfig {
    /// The metric that it looks at.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        &self.metric_name
    }

    /// What values are compared with, and how.
    #[must_use]
    pub fn rule(&self) -> MetricRule {
        self.rule
    }

    /// How grave its alerts are.
    #[must_use]
    pub fn level(&self) -> AlertLevel {
        self.level
    }

    /// Whether it looks at anything.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether a value breaches it.
    #[must_use]
    pub fn breaches(&self, value: f64) -> bool {
        self.rule.comparison.holds(value, self.rule.threshold)
    }

    /// Whether it looks at the series with these labels.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.labels.iter().all(|(name, wanted)| match labels.get(name) {
            Some(own) => own == wanted,
            None => wanted.is_empty(),
        })
    }

    /// Whether the absence of values is an alert.
    #[must_use]
    pub fn alerts_on_no_data(&self) -> bool {
        self.no_data == NoData::Alert
    }

    /// The labels of the series that stands for all, where there is none.
    #[must_use]
    pub fn absent_labels(&self) -> LabelSet {
        let pairs: Vec<_> = self.labels.iter().filter(|(_, value)| !value.is_empty()).collect();
        LabelSet::from_pairs(pairs).unwrap_or_default()
    }

    /// Whether a value of that age still says something.
    #[must_use]
    pub fn is_fresh(&self, age: Duration) -> bool {
        self.no_data == NoData::Keep || age < self.no_data_after.get()
    }

    /// How long its episodes take.
    #[must_use]
    pub fn timing(&self) -> Timing {
        let after = self.no_data_after.get();
        Timing {
            wait: self.wait.get(),
            keep: self.keep.get(),
            unseen: match self.no_data {
                NoData::Keep => Unseen::Keeps,
                NoData::Ok => Unseen::IsWell(after),
                NoData::Alert => Unseen::Breaches(after),
            },
        }
    }

    /// What an alert says about a value; `told` is what happened, where the board knows.
    #[must_use]
    pub fn message(&self, value: f64, told: Option<&str>) -> String {
        let Some(template) = &self.template else { return told.unwrap_or(&self.metric_name).to_owned() };
        template.render(&Fields {
            metric_name: &self.metric_name,
            comparison: self.rule.comparison.as_str(),
            threshold: self.rule.threshold,
            value,
            level: self.level.as_str(),
        })
    }

    /// What an alert says about the absence of values.
    #[must_use]
    pub fn message_without_data(&self) -> String {
        format!("{}: no data for {} s", self.metric_name, f64::from(self.no_data_after))
    }
}
