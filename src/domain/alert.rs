//! Alerts: one for each time that something was wrong, from when it fired until it was resolved.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LabelSet, check::MetricRule, health::Status};

/// How grave an alert is. Ordered.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertLevel {
    /// To know.
    Info,
    /// To look at.
    Warning,
    /// Something fails.
    Error,
    /// Everything may.
    Critical,
}

impl AlertLevel {
    /// Every level, from the least grave to the most.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The status of what such an alert is about.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Info | Self::Warning => Status::Yellow,
            Self::Error | Self::Critical => Status::Red,
        }
    }
}

/// Whether an alert is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It is.
    Firing,
    /// It is over.
    Resolved,
}

impl AlertState {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// Where an alert comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertSource {
    /// A threshold on a metric that was pushed, built-in ones included.
    Threshold,
    /// Sent to `/api/v2/alerts`, as by Prometheus.
    External,
}

/// What somebody said who has seen an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// What.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// One episode: from firing to resolved. Serialised as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Ascends in the order of firing, and is never used again.
    pub id: i64,
    /// Where it comes from.
    pub source: AlertSource,
    /// The threshold that it breaches; none for one from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_id: Option<String>,
    /// The metric; for one from outside, its `alertname`.
    pub metric_name: String,
    /// What tells this alert from others of the same name: the labels of the series, or those that came from outside,
    /// without `alertname` and `severity`.
    #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
    pub labels: LabelSet,
    /// More about it, for people: Alertmanager's annotations, without `summary`, which is the message.
    #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
    pub annotations: LabelSet,
    /// How grave it is.
    pub level: AlertLevel,
    /// Whether it goes on.
    pub state: AlertState,
    /// What the value was compared with when it fired; none for one from outside, or where nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<MetricRule>,
    /// What it says, as of the last time that it was looked at.
    pub message: String,
    /// The value that fired it, and later the last one that was seen; none where nothing was measured.
    #[serde(default, with = "super::any_number")]
    pub value: Option<f64>,
    /// When it fired.
    pub started_at: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// For one from outside: when it is over unless it is sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When it fired, changed, was sent again or was over.
    pub updated_at: Timestamp,
    /// Who has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// Where it was raised: a page for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
}

impl Alert {
    /// Whether it goes on.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.state == AlertState::Firing
    }

    /// The same, acknowledged.
    #[must_use]
    pub fn seen_by(&self, seen: &Acknowledgement) -> Self {
        Self { acknowledged: Some(seen.clone()), updated_at: seen.at, ..self.clone() }
    }
}
