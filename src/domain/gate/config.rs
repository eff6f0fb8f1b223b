//! What a gate asks for: as it comes over the wire, and checked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::{
    Name,
    alert::AlertLevel,
    check::{Labels, checked_metric_name},
    health::Status,
    invalid::InvalidConfig,
    schema::{LabelName, LabelValue, MetricName},
    text::is_longer,
};

const MOST: usize = 256;
const LONGEST_DESCRIPTION: usize = 1024;

/// The worst status with which a gate lets pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaxStatus {
    /// Nothing but green.
    Green,
    /// Anything but red.
    #[default]
    Yellow,
}

impl From<MaxStatus> for Status {
    fn from(most: MaxStatus) -> Self {
        match most {
            MaxStatus::Green => Self::Green,
            MaxStatus::Yellow => Self::Yellow,
        }
    }
}

/// A gate as it comes over the wire. It must name something to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSpec {
    /// What it is for. At most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub description: Option<String>,
    /// Checks by name, at most 256. One that does not exist, or is stale, closes the gate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 256)]
    pub checks: Vec<Name>,
    /// Besides, all checks that have each of these labels. If there are none, the gate is closed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<LabelName, LabelValue>)]
    pub check_labels: BTreeMap<String, String>,
    /// Breakers by name, at most 256. One that does not exist closes the gate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 256)]
    pub breakers: Vec<Name>,
    /// Alerts that must not be firing.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "crate::domain::object::object_option"
    )]
    pub alerts: Option<GateAlertsSpec>,
    /// The worst status that passes: `yellow` (default) or `green`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_status: Option<MaxStatus>,
}

/// Alerts that must not be firing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateAlertsSpec {
    /// The least level that closes the gate: `info`, `warning`, `error` or `critical`. Default `error`, with
    /// `max_status` `green` `warning`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_level: Option<AlertLevel>,
    /// Only alerts on these metrics, at most 256. Default: on any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<MetricName>, max_items = 256)]
    pub metric_names: Vec<String>,
}

/// What a gate asks for, checked. It names something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "GateSpec", into = "GateSpec")]
pub struct GateConfig {
    pub(super) description: Option<Box<str>>,
    pub(super) checks: Vec<Name>,
    pub(super) check_labels: Labels,
    pub(super) breakers: Vec<Name>,
    pub(super) alerts: Option<GateAlerts>,
    pub(super) max_status: MaxStatus,
}

/// Alerts that must not be firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GateAlerts {
    pub(super) min_level: AlertLevel,
    /// If empty, any.
    pub(super) metric_names: BTreeSet<Box<str>>,
}

impl TryFrom<GateSpec> for GateConfig {
    type Error = InvalidConfig;

    fn try_from(spec: GateSpec) -> Result<Self, InvalidConfig> {
        let max_status = spec.max_status.unwrap_or_default();
        let config = Self {
            description: described(spec.description)?,
            checks: distinct("checks", spec.checks)?,
            check_labels: Labels::parse("check_labels", spec.check_labels)?,
            breakers: distinct("breakers", spec.breakers)?,
            alerts: spec.alerts.map(|alerts| GateAlerts::checked(alerts, max_status)).transpose()?,
            max_status,
        };
        let names_nothing = config.checks.is_empty()
            && config.check_labels.is_empty()
            && config.breakers.is_empty()
            && config.alerts.is_none();
        if names_nothing {
            let message = "a gate must name checks, check_labels, breakers or alerts to look at";
            return Err(InvalidConfig { field: "checks", message: message.to_owned() });
        }
        Ok(config)
    }
}

impl GateAlerts {
    fn checked(spec: GateAlertsSpec, max_status: MaxStatus) -> Result<Self, InvalidConfig> {
        let field = "alerts.metric_names";
        bounded(field, spec.metric_names.len())?;
        let default = match max_status {
            MaxStatus::Green => AlertLevel::Warning,
            MaxStatus::Yellow => AlertLevel::Error,
        };
        let names = spec.metric_names.into_iter().map(|name| checked_metric_name(field, name));
        Ok(Self {
            min_level: spec.min_level.unwrap_or(default),
            metric_names: names.collect::<Result<_, _>>()?,
        })
    }
}

fn described(given: Option<String>) -> Result<Option<Box<str>>, InvalidConfig> {
    match given {
        Some(text) if is_longer(&text, LONGEST_DESCRIPTION) => {
            let message = format!("must be at most {LONGEST_DESCRIPTION} characters long");
            Err(InvalidConfig { field: "description", message })
        }
        given => Ok(given.filter(|text| !text.is_empty()).map(String::into_boxed_str)),
    }
}

fn bounded(field: &'static str, count: usize) -> Result<(), InvalidConfig> {
    if count <= MOST {
        return Ok(());
    }
    Err(InvalidConfig { field, message: format!("must be at most {MOST} names") })
}

/// The names in the order given, each once.
fn distinct(field: &'static str, names: Vec<Name>) -> Result<Vec<Name>, InvalidConfig> {
    bounded(field, names.len())?;
    let mut seen = BTreeSet::new();
    Ok(names.into_iter().filter(|name| seen.insert(name.clone())).collect())
}

impl From<&GateConfig> for GateSpec {
    /// The specification with every default filled in; checking it gives the same configuration.
    fn from(config: &GateConfig) -> Self {
        Self {
            description: config.description.as_deref().map(str::to_owned),
            checks: config.checks.clone(),
            check_labels: config.check_labels.to_map(),
            breakers: config.breakers.clone(),
            alerts: config.alerts.as_ref().map(|alerts| GateAlertsSpec {
                min_level: Some(alerts.min_level),
                metric_names: alerts.metric_names.iter().map(ToString::to_string).collect(),
            }),
            max_status: Some(config.max_status),
        }
    }
}

impl From<GateConfig> for GateSpec {
    fn from(config: GateConfig) -> Self {
        Self::from(&config)
    }
}
