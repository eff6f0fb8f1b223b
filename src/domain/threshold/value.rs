//! A value that somebody asks about.

use serde::Deserialize;

use super::own::is_reserved;
use crate::domain::{
    LabelSet,
    check::checked_metric_name,
    invalid::InvalidConfig,
    schema::{MetricName, SeriesLabelName, SeriesLabelValue},
    series::{SampleLabels, label_set},
    text::Text,
};

/// A value as it comes over the wire.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueSpec<'a> {
    /// The metric: 1 to 200 characters of `A-Z a-z 0-9 _ . : -`. Not one of the board's own.
    #[serde(borrow)]
    #[schema(value_type = MetricName)]
    pub metric_name: Text<'a>,
    /// A finite number.
    pub value: f64,
    /// Labels of the series. At most 32; names are `[a-zA-Z_][a-zA-Z0-9_]*`, values at most 256 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<std::collections::BTreeMap<SeriesLabelName, SeriesLabelValue>>)]
    pub labels: Option<SampleLabels<'a>>,
}

impl ValueSpec<'_> {
    /// The labels, if all of it can be.
    pub fn checked(&self) -> Result<LabelSet, InvalidConfig> {
        let metric = self.metric_name.as_str();
        let invalid = |field, message: &str| Err(InvalidConfig { field, message: message.to_owned() });
        checked_metric_name("metric_name", metric.to_owned())?;
        if is_reserved(metric) {
            return invalid("metric_name", "is one of the board's own: only the board knows its value");
        }
        if !self.value.is_finite() {
            return invalid("value", "must be a finite number");
        }
        let Some(labels) = &self.labels else { return Ok(LabelSet::default()) };
        label_set(labels).or_else(|rejection| {
            let message = rejection.message.strip_prefix("labels: ").unwrap_or(&rejection.message);
            invalid("labels", message)
        })
    }
}
