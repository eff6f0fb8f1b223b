//! An alert as clients see it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    app::silences::Mutes,
    domain::{
        LabelSet,
        alert::{Acknowledgement, Alert, AlertLevel, AlertSource, AlertState},
        check::Comparison,
        notify::Labelled,
    },
};

/// An alert, as answered by `GET /v1/alerts/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlertView {
    /// Ascends in the order of firing, and is never used again.
    pub id: i64,
    /// The threshold that it breaches; null for one from outside.
    pub threshold_id: Option<String>,
    /// The metric; for one from outside, its `alertname`.
    pub metric_name: String,
    /// The labels of the series; for one from outside, without `alertname` and `severity`.
    #[serde(serialize_with = "as_object")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: LabelSet,
    /// How grave it is.
    pub level: AlertLevel,
    /// Whether it goes on.
    pub state: AlertState,
    /// What it says, as of the last time that it was looked at.
    pub message: String,
    /// The value that fired it, and later the last one that was seen; null where nothing was measured.
    pub value: Option<f64>,
    /// When it fired.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it was over; null while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// Who has seen it; null before anybody said so.
    pub acknowledged: Option<Acknowledgement>,
    /// When it fired, as in `started_at`.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// Where it comes from.
    pub source: AlertSource,
    /// What was measured.
    pub details: AlertDetails,
    /// More about it, for people.
    #[serde(serialize_with = "as_object")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub annotations: LabelSet,
    /// Where it was raised: a page for people.
    pub generator_url: Option<String>,
    /// Ids of the silences because of which nobody is told of it now; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub silenced_by: Vec<String>,
    /// Names of the maintenance windows likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub muted_by: Vec<String>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlertDetails {
    /// The metric.
    pub metric_name: String,
    /// Its value.
    pub value: Option<f64>,
    /// What it was compared with.
    pub threshold: Option<f64>,
    /// How.
    pub comparison: Option<Comparison>,
}

impl From<&Alert> for AlertView {
    fn from(alert: &Alert) -> Self {
        Self {
            id: alert.id,
            threshold_id: alert.threshold_id.clone(),
            metric_name: alert.metric_name.clone(),
            labels: alert.labels.clone(),
            level: alert.level,
            state: alert.state,
            message: alert.message.clone(),
            value: alert.value,
            started_at: alert.started_at,
            resolved_at: alert.resolved_at,
            acknowledged: alert.acknowledged.clone(),
            timestamp: alert.started_at,
            source: alert.source,
            details: AlertDetails {
                metric_name: alert.metric_name.clone(),
                value: alert.value,
                threshold: alert.rule.map(|rule| rule.threshold),
                comparison: alert.rule.map(|rule| rule.comparison),
            },
            annotations: alert.annotations.clone(),
            generator_url: alert.generator_url.clone(),
            silenced_by: Vec::new(),
            muted_by: Vec::new(),
        }
    }
}

impl AlertView {
    /// With what keeps it from being told.
    pub(super) fn muted(alert: &Arc<Alert>, mutes: &Mutes) -> Self {
        let mut view = Self::from(&**alert);
        if alert.is_firing() && !mutes.is_empty() {
            let Labelled { labels, .. } = Labelled::new(alert);
            view.silenced_by = mutes.silences(&labels).map(str::to_owned).collect();
            view.muted_by = mutes.windows(&labels).map(ToString::to_string).collect();
        }
        view
    }
}

/// Labels as a JSON object.
pub(super) fn as_object<S: Serializer>(labels: &LabelSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels)
}
